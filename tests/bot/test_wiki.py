"""A wanted page stands in Confluence exactly once, whatever is down, killed or edited meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import requests
from sqlalchemy import event

from bot import wiki_pages
from bot.context import Context
from bot.flows import wiki
from core.db import reading
from core.errors import UpstreamError
from integrations import storage_format as storage
from sandbox.confluence import ConfluenceWorld
from tests.bot.ticket_worker import Killed
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import a_confluence, a_wiki_client, a_wiki_wire

SUBJECT = "digest/demo/2026-W47"
TITLE = "Muster week 2026-W47 – demo"


def a_body(words: str) -> str:
    return storage.document(storage.paragraph(words), origin=SUBJECT)


@dataclass(slots=True)
class Desk:
    """Somebody wants pages, and a worker that can be killed puts them."""

    ctx: Context
    jobs: JobList
    confluence: ConfluenceWorld
    points: int = 0
    die_at: int | None = None

    def watch(self, _when: str, _request: requests.PreparedRequest) -> None:
        self.points += 1
        if self.points == self.die_at:
            raise Killed

    def want(self, words: str, files: dict[str, bytes] | None = None) -> None:
        with self.ctx.databases.control.begin() as session:
            wiki_pages.want(
                session,
                SUBJECT,
                title=TITLE,
                body=a_body(words),
                now=self.ctx.clock(),
                files=files or {"a.png": b"png"},
            )

    def put(self) -> None:
        self.jobs.run(self.ctx, {"put_page": wiki.put_page})

    def page(self) -> wiki_pages.WantedPage:
        with reading(self.ctx.databases.control) as session:
            return wiki_pages.load(session, SUBJECT)


@pytest.fixture
def desk(ctx: Context, jobs: JobList, clock: ManualClock) -> Desk:
    confluence = a_confluence(clock)
    desk = Desk(ctx=ctx, jobs=jobs, confluence=confluence)
    desk.ctx = replace(ctx, confluence=a_wiki_client(a_wiki_wire(confluence, desk.watch)))
    return desk


def test_a_wanted_page_is_put_with_its_files_and_its_mark(desk: Desk) -> None:
    desk.want("All is well.")
    desk.put()

    (there,) = desk.confluence.all()
    page = desk.page()
    assert (there.title, there.body) == (TITLE, a_body("All is well."))
    assert there.attachments == {"a.png": (1, "image/png", b"png")}
    assert there.properties["muster"].value == {"subject": SUBJECT, "hash": page.content_hash}
    assert (page.page_id, page.is_put, page.url) == (there.id, True, desk.confluence.url(there))


def test_wanting_the_same_twice_puts_it_once(desk: Desk) -> None:
    for _ in range(2):
        desk.want("All is well.")
        desk.put()

    assert desk.confluence.all()[0].version == 1


def test_wanting_what_it_said_before_puts_it_again(desk: Desk) -> None:
    for words in ("well", "worse", "well"):
        desk.want(words)
        desk.put()

    assert (desk.confluence.all()[0].version, desk.confluence.all()[0].body) == (3, a_body("well"))


def test_a_change_keeps_what_people_wrote_under_notes(desk: Desk) -> None:
    desk.want("All is well.")
    desk.put()
    desk.confluence.write_note(desk.confluence.all()[0], "Ask the driver team.")

    desk.want("Worse.")
    desk.put()

    body = desk.confluence.all()[0].body
    assert "Worse." in body
    assert "All is well." not in body
    assert body.endswith("<p>Ask the driver team.</p>")


def test_somebody_who_edits_at_the_same_time_loses_nothing(desk: Desk) -> None:
    desk.want("All is well.")
    desk.put()
    desk.confluence.faults.set(confluence_conflict=1)

    desk.want("Worse.")
    desk.put()

    body = desk.confluence.all()[0].body
    assert "Worse." in body
    assert "Written at the same time." in body


def test_twice_in_a_row_too_late_waits_for_the_next_try(desk: Desk) -> None:
    desk.want("All is well.")
    desk.put()
    desk.confluence.faults.set(confluence_conflict=2)
    desk.want("Worse.")

    desk.put()
    assert desk.jobs.names() == ["put_page"]
    desk.put()

    assert "Worse." in desk.confluence.all()[0].body


def test_a_page_that_was_deleted_is_put_anew(desk: Desk) -> None:
    desk.want("All is well.")
    desk.put()
    desk.confluence.trash(desk.confluence.all()[0])

    desk.want("Worse.")
    desk.put()

    assert [page.body for page in desk.confluence.all()] == [a_body("Worse.")]


def test_a_page_that_was_renamed_is_found_by_its_id_and_named_again(desk: Desk) -> None:
    desk.want("All is well.")
    desk.put()
    there = desk.confluence.all()[0]
    desk.confluence.edit(there, title="Mine", body=there.body, version=2)

    desk.want("Worse.")
    desk.put()

    assert [(page.title, page.version) for page in desk.confluence.all()] == [(TITLE, 3)]


def test_a_page_of_that_title_which_is_somebody_elses_is_left_alone(desk: Desk) -> None:
    theirs = desk.confluence.create(TITLE, "<p>theirs</p>", parent=None)
    desk.want("All is well.")

    desk.put()

    assert (theirs.version, theirs.body) == (1, "<p>theirs</p>")
    assert "is not Muster's" in (desk.page().problem or "")


def test_what_was_refused_is_tried_again_each_day_once_mended(desk: Desk, clock: ManualClock) -> None:
    theirs = desk.confluence.create(TITLE, "<p>theirs</p>", parent=None)
    desk.want("All is well.")
    desk.put()
    desk.confluence.trash(theirs)

    for _ in range(2):
        with desk.ctx.databases.control.begin() as session:
            wiki_pages.wake_stuck(session, clock())
        desk.put()

    assert [page.version for page in desk.confluence.all()] == [1]
    assert desk.page().problem is None


def test_an_outage_puts_it_later(desk: Desk) -> None:
    desk.want("All is well.")
    desk.confluence.faults.set(confluence_down=True)
    desk.put()
    desk.confluence.faults.set(confluence_down=False)

    desk.put()

    assert len(desk.confluence.all()) == 1


def test_a_lost_answer_makes_no_second_page(desk: Desk) -> None:
    desk.confluence.faults.set(confluence_lost=1)
    desk.want("All is well.")
    desk.put()
    desk.put()

    assert [page.properties["muster"].version for page in desk.confluence.all()] == [1]


def test_killed_anywhere_there_is_one_whole_page_in_the_end(desk: Desk) -> None:
    event.listen(desk.ctx.databases.control, "before_commit", lambda _session: desk.watch("commit", None))  # type: ignore[arg-type]
    last = 0
    for die_at in range(1, 40):
        desk.want(f"take {die_at}", files={f"{die_at}.png": b"png"})
        desk.points, desk.die_at = 0, die_at
        try:
            wiki.put_page(desk.ctx, SUBJECT)
            last = die_at
        except Killed:
            desk.die_at = None
            wiki.put_page(desk.ctx, SUBJECT)

        (there,) = desk.confluence.all()
        assert there.body == a_body(f"take {die_at}")
        assert f"{die_at}.png" in there.attachments
        assert desk.page().is_put
        if last:
            break

    assert last > 8


def test_without_confluence_nothing_happens(desk: Desk, ctx: Context) -> None:
    desk.want("All is well.")
    wiki.put_page(ctx, SUBJECT)

    assert not desk.page().is_put


def test_a_body_that_does_not_name_its_subject_is_a_mistake(desk: Desk) -> None:
    with pytest.raises(ValueError, match="name its subject"), desk.ctx.databases.control.begin() as session:
        wiki_pages.want(session, "decision/R12", title="t", body=a_body("x"), now=desk.ctx.clock())


def test_a_refusal_raises_so_that_the_worker_knows(desk: Desk) -> None:
    desk.confluence.create(TITLE, "<p>theirs</p>", parent=None)
    desk.want("All is well.")

    with pytest.raises(UpstreamError) as caught:
        wiki.put_page(desk.ctx, SUBJECT)

    assert caught.value.permanent
