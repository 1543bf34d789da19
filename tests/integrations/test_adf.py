"""Documents stay within the format and Jira's limits, whatever people wrote."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from integrations import adf
from tests.integrations.wire import check_document


def test_every_building_block_is_proper_document_format() -> None:
    document = adf.document(
        adf.panel("error", "It crashes ", adf.text("often", strong=True)),
        adf.heading(3, "Where"),
        adf.table(["Cohort", "Rate"], [["Helio G35", "4 %"], ["", ""]]),
        adf.bullets("one", ["two ", adf.text("sha256:ab", code=True)], adf.text("three", href="https://example.com")),
        adf.quote("It never heard me"),
        adf.code_block("/muster feedback kws"),
        adf.rule(),
        adf.paragraph(),
    )

    check_document(document)


@settings(deadline=None, max_examples=10)
@given(some.lists(some.text(max_size=200), min_size=1, max_size=6))
def test_no_text_of_people_breaks_a_document(texts: list[str]) -> None:
    document = adf.document(
        adf.paragraph(*texts),
        adf.heading(2, texts[0]),
        adf.table(texts, [texts]),
        adf.bullets(*texts),
        adf.quote(texts[-1]),
        adf.code_block(texts[0]),
    )

    check_document(document)
    assert adf.characters(document) <= adf.DOCUMENT_CHARACTERS


def test_a_document_too_long_for_jira_says_what_was_left_out() -> None:
    document = adf.document(*(adf.paragraph("x" * 1000) for _ in range(50)))

    assert adf.characters(document) <= adf.DOCUMENT_CHARACTERS
    assert "more parts that Jira has no room for" in adf.plain_text(document)
    check_document(document)


def test_a_table_too_long_says_how_many_rows_are_left_out() -> None:
    table = adf.table(["a", "b"], [["1", "2"]] * 47)

    assert "… and 7 more" in adf.plain_text(table)


def test_control_characters_are_taken_out() -> None:
    assert adf.plain_text(adf.paragraph("bad\x00\x1b\ud800 word")) == "bad word"


def test_a_row_of_another_width_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="as many cells"):
        adf.table(["a", "b"], [["1"]])


def test_a_list_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs an item"):
        adf.bullets()
