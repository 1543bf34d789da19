"""The card: one message, edited in place, never lost, never twice; the news in its thread."""

from __future__ import annotations

import threading

import pytest

from bot import cards
from bot.context import Context
from bot.flows import release as flow
from bot.flows import release_card
from core.errors import UpstreamError
from core.keys import create_key
from releases import proposing
from sandbox.world import World
from tests.bot.releases_made import START, Floor, button_values, words
from tests.bot.workspace import DANA, MIA, RELEASES
from tests.builders import ManualClock
from tests.conftest import JobList


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def test_the_card_is_posted_once_and_then_edited(floor: Floor) -> None:
    floor.type(DANA, START)
    floor.run()
    first = floor.card()
    floor.type(MIA, "release approve R1")
    floor.tick()
    floor.run()

    assert floor.card().ts == first.ts
    assert floor.card().edited
    assert "Progressing" in words(floor.card())


def test_the_card_offers_what_can_be_done_in_its_state(floor: Floor) -> None:
    floor.type(DANA, START)
    floor.run()
    assert list(button_values(floor.card())) == ["Approve", "Reject"]

    floor.type(MIA, "release approve R1")
    floor.tick()
    floor.run()
    assert list(button_values(floor.card())) == ["Advance", "Pause", "Halt", "Roll back"]

    floor.type(MIA, "release rollback R1")
    floor.run()
    assert button_values(floor.card()) == {}


def test_a_card_that_shows_the_same_is_not_edited(floor: Floor) -> None:
    floor.started()
    floor.run()
    updates = floor.world.slack.workspace.counts["updated"]

    floor.clock.advance(minutes=1)
    floor.tick()
    floor.run()

    assert floor.world.slack.workspace.counts["updated"] == updates


def test_new_numbers_are_shown(floor: Floor) -> None:
    floor.started()
    floor.run()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)

    floor.tick()
    floor.run()

    assert "n = 200 against 200 install-hours" in words(floor.card())


def test_a_deleted_card_is_posted_again(floor: Floor) -> None:
    floor.type(DANA, START)
    floor.run()
    workspace = floor.world.slack.workspace
    workspace.remove(floor.card())

    floor.type(MIA, "release approve R1")
    floor.run()

    assert "Approved, about to start" in words(floor.cards()[-1])
    assert len(floor.cards()) == 1


def test_within_five_seconds_the_card_is_edited_once_and_later_again(floor: Floor) -> None:
    floor.type(DANA, START)
    floor.run()
    floor.type(MIA, "release approve R1")
    release = floor.release().id

    flow.show_card(floor.ctx, release, wall=floor.wall)
    waiting = [job for job in floor.jobs.waiting if "after" in job.key]

    assert "Waits for approval" in words(floor.card())
    assert [job.after.total_seconds() for job in waiting] == [5.0]
    floor.wall.advance(seconds=5)
    flow.show_card(floor.ctx, release, wall=floor.wall)
    assert "Approved" in words(floor.card())


def test_the_reason_of_a_proposal_stands_on_its_card_once(floor: Floor) -> None:
    floor.type(DANA, START + ' reason="hears better"')
    floor.run()

    assert "Waits for approval" in words(floor.card())
    assert words(floor.card()).lower().count("hears better") == 1


def test_a_key_that_proposed_is_told_by_its_name(floor: Floor) -> None:
    with floor.ctx.databases.control.begin() as session:
        key, _ = create_key(session, app="demo", scope="secret", name="CI <prod>", now=floor.clock())
        asked = {"model": "kws", "version": "1.4.0"}
        proposing.propose(session, asked, app="demo", by=key.id, now=floor.clock())
    floor.run()

    shown = words(floor.type(DANA, "release show R1"))
    told = "".join(words(each) for each in floor.channel())
    assert "Proposed by the key CI &lt;prod&gt;" in words(floor.card())
    assert "proposed by the key CI &lt;prod&gt;" in shown
    assert key.id not in shown + told


def test_a_change_while_the_card_is_being_posted_is_shown_within_five_seconds_of_it(floor: Floor) -> None:
    floor.type(DANA, START)
    release = floor.release().id
    with floor.ctx.databases.control.begin() as session:
        posting = cards.claim(session, release, RELEASES, at=floor.wall(), every=release_card.EVERY)
    floor.wall.advance(seconds=12)

    for _ in range(2):
        flow.show_card(floor.ctx, release, wall=floor.wall)

    assert isinstance(posting, cards.Claim)
    assert [job.after.total_seconds() for job in floor.jobs.waiting if "after" in job.key] == [3.0]
    assert floor.cards() == []


def test_two_jobs_that_both_want_to_post_the_card_post_it_once(floor: Floor) -> None:
    floor.type(DANA, START)
    release = floor.release().id
    floor.world.faults.set(slack_down=True)
    for _ in range(2):
        with pytest.raises(UpstreamError):
            flow.show_card(floor.ctx, release, wall=floor.wall)
    floor.world.faults.set(slack_down=False)

    flow.show_card(floor.ctx, release, wall=floor.wall)
    flow.show_card(floor.ctx, release, wall=floor.wall)

    assert len(floor.cards()) == 1


def test_news_is_told_once_even_when_the_job_runs_twice(floor: Floor) -> None:
    floor.started()
    floor.run()
    told = len(floor.news())

    flow.announce(floor.ctx, floor.release().id, "2", wall=floor.wall)

    assert len(floor.news()) == told == 3


def test_news_wait_for_the_news_before_them(floor: Floor) -> None:
    floor.type(DANA, START)
    floor.type(MIA, "release approve R1")

    with pytest.raises(UpstreamError, match="before this one"):
        flow.announce(floor.ctx, floor.release().id, "3", wall=floor.wall)

    floor.run()
    assert ["proposed" in words(each) for each in floor.news()] == [True, False]


def test_news_come_in_the_order_in_which_they_happened_however_their_jobs_run(floor: Floor) -> None:
    floor.started()
    floor.type(DANA, "release pause R1")
    floor.type(DANA, "release resume R1")
    floor.jobs.waiting.reverse()
    floor.world.faults.set(slack_down=True)
    floor.run()
    floor.world.faults.set(slack_down=False)

    while floor.jobs.waiting:
        floor.run()

    told = [words(each).split("*R1* ")[1] for each in floor.news()]
    assert [one.split()[0] for one in told] == ["kws", "approved", "started:", "paused", "resumed"]


def test_two_workers_that_tell_the_same_news_at_once_keep_the_order(floor: Floor) -> None:
    floor.started()
    floor.run()
    floor.type(DANA, "release pause R1")
    floor.type(DANA, "release resume R1")
    release = floor.release().id
    start = threading.Barrier(2)

    def work(revision: str) -> None:
        start.wait()
        for _ in range(200):
            try:
                flow.announce(floor.ctx, release, revision, wall=floor.wall)
            except UpstreamError:
                continue
            return

    threads = [threading.Thread(target=work, args=(revision,)) for revision in ("6", "5")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert ["paused" in words(each) for each in floor.news()[-2:]] == [True, False]
    assert len(floor.news()) == 5


def test_a_breach_waits_for_no_news_and_old_news_for_none(floor: Floor) -> None:
    floor.started()
    floor.type(MIA, "release rollback R1")
    flow.announce(floor.ctx, floor.release().id, "5", wall=floor.wall)
    floor.clock.advance(minutes=16)
    flow.announce(floor.ctx, floor.release().id, "4", wall=floor.wall)

    assert len(floor.news()) == 2


def test_only_halt_rollback_and_completion_are_told_to_the_whole_channel(floor: Floor) -> None:
    floor.started()
    floor.type(DANA, "release pause R1")
    floor.type(DANA, "release resume R1")
    floor.type(MIA, "release rollback R1")
    floor.run()

    assert [words(each).split("\\n")[0].split("* ", 1)[1][:7] for each in floor.news() if each.broadcast] == [
        "🔴 *roll"
    ]


def test_peoples_words_cannot_ping_the_channel(floor: Floor) -> None:
    floor.type(DANA, f'{START} reason="<!channel> ship it"')
    floor.run()

    assert "<!channel>" not in words(floor.card())
    assert all("<!channel>" not in words(each) for each in floor.news())
