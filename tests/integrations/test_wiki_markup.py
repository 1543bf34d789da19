"""Wiki markup for Data Center: people's words stay words, and long texts say what they leave out."""

from __future__ import annotations

import pytest

from integrations import adf
from integrations.wiki_markup import TEXT_CHARACTERS, escaped, from_document


@pytest.mark.parametrize(
    ("plain", "markup"),
    [
        pytest.param("*bold* _it_ -no-", "\\*bold\\* \\_it\\_ \\-no\\-", id="emphasis"),
        pytest.param("{code}x{code} [~admin]", "\\{code\\}x\\{code\\} \\[\\~admin\\]", id="macros and mentions"),
        pytest.param("h1. big\nbq. quote", "h1\\. big\nbq\\. quote", id="starts of lines"),
        pytest.param("a|b !img.png! C:\\x", "a\\|b \\!img.png\\! C:\\\\x", id="cells, images and backslashes"),
        pytest.param("plain (words), 3.5 %", "plain (words), 3.5 %", id="nothing to escape"),
    ],
)
def test_words_cannot_become_markup(plain: str, markup: str) -> None:
    assert escaped(plain) == markup


def test_every_block_that_a_ticket_uses_has_its_markup() -> None:
    document = adf.document(
        adf.heading(3, "Where"),
        adf.paragraph("see ", adf.text("R12", strong=True), " and ", adf.text("the card", href="https://x.example/a")),
        adf.bullets("one", ["two ", adf.text("sha", code=True)]),
        adf.table(["a", "b"], [["1", ""]]),
        adf.quote("It never hears me"),
        adf.code_block("/muster feedback kws where=\"chipset='A'\" {code}"),
        adf.rule(),
    )

    assert from_document(document) == (
        "h3. Where\n\n"
        "see *R12* and [the card|https://x.example/a]\n\n"
        "* one\n* two {{sha}}\n\n"
        "||a||b||\n|1| |\n\n"
        "{quote}\nIt never hears me\n{quote}\n\n"
        "{code}\n/muster feedback kws where=\"chipset='A'\" { code}\n{code}\n\n"
        "----"
    )


def test_what_jira_has_no_room_for_is_left_out_and_told() -> None:
    long = {"type": "doc", "version": 1, "content": [adf.paragraph("x" * 20_000) for _ in range(3)]}

    text = from_document(long)

    assert len(text) <= TEXT_CHARACTERS
    assert text.endswith("more that Jira has no room for.")
