"""Confluence's storage format: well formed whatever people wrote, and their notes stay theirs."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from integrations import storage_format as storage
from sandbox.confluence import parse

ORIGIN = "digest/demo/2026-W47"


def a_page(*blocks: Markup) -> str:
    return storage.document(*blocks, origin=ORIGIN)


def test_what_people_wrote_cannot_become_markup() -> None:
    said = "<script>alert(1)</script> & \x00 ]]> \ud800"
    body = a_page(
        storage.heading(2, said),
        storage.paragraph(said, storage.strong(said)),
        storage.bullets(said),
        storage.quote(said),
        storage.table(["a"], [[said]]),
        storage.image("a.png", alt='"quoted" & <b>'),
        storage.link(said, "https://example.org/?a=1&b=2"),
    )

    tree = parse(body)

    assert "<script" not in body
    assert "".join(tree.itertext()).count("<script>alert(1)</script> & ") == 7


def test_a_link_leads_to_the_web_only() -> None:
    with pytest.raises(ValueError, match="no web address"):
        storage.link("here", "javascript:alert(1)")


def test_a_row_is_as_wide_as_the_head_and_a_list_has_items() -> None:
    with pytest.raises(ValueError, match="as many cells"):
        storage.table(["a", "b"], [["1"]])
    with pytest.raises(ValueError, match="an item"):
        storage.bullets()


@pytest.mark.parametrize(
    "heading",
    [
        pytest.param("<h2>Notes</h2>", id="as we put it"),
        pytest.param('<h3 local-id="1"><strong> notes </strong></h3>', id="as the editor leaves it"),
    ],
)
def test_what_stands_under_notes_is_kept(heading: str) -> None:
    old = f"<p>old</p>{heading}<p>Talked to the <a href='https://x'>driver team</a>.</p><h2>Next</h2><p>Call them.</p>"

    new = storage.keep_notes(a_page(storage.paragraph("new")), old)

    assert "<p>new</p>" in new
    assert "<p>old</p>" not in new
    assert new.endswith("driver team</a>.</p><h2>Next</h2><p>Call them.</p>")
    assert storage.INVITATION not in new
    parse(new)


def test_notes_inside_a_layout_are_kept_up_to_the_end_of_their_cell() -> None:
    old = (
        "<ac:layout><ac:layout-section><ac:layout-cell><h2>Notes</h2><p>one</p><br/><p>two</p></ac:layout-cell>"
        "<ac:layout-cell><p>elsewhere</p></ac:layout-cell></ac:layout-section></ac:layout>"
    )

    new = storage.keep_notes(a_page(), old)

    assert new.endswith("<h2>Notes</h2><p>one</p><br/><p>two</p>")
    parse(new)


def test_code_that_speaks_of_tags_does_not_end_the_notes() -> None:
    code = "<ac:plain-text-body><![CDATA[</div></p>]]></ac:plain-text-body><!-- </p> --><p>after</p>"

    assert storage.keep_notes(a_page(), f"<h2>Notes</h2>{code}").endswith(code)


def test_a_page_whose_notes_were_deleted_gets_the_heading_again() -> None:
    new = a_page(storage.paragraph("new"))

    assert storage.keep_notes(new, "<p>no heading any more</p>") == new


def test_notes_survive_any_number_of_updates() -> None:
    body = a_page(storage.paragraph("0")).replace(storage.INVITATION, "mine")
    for number in range(1, 4):
        body = storage.keep_notes(a_page(storage.paragraph(str(number))), body)

    assert body == a_page(storage.paragraph("3")).replace(storage.INVITATION, "mine")
