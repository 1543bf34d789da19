"""A release from proposal to completion or rollback: ticks, races, outages of Slack."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from bot import tickets
from bot.context import Context
from bot.flows import acts
from bot.flows.acts import Wish
from bot.flows.release import carry_out
from core import audit
from core.db import reading
from core.errors import ConflictError
from releases import artifact_store
from releases.rollout import Advance, Halt, Hold, RollBack, State
from sandbox.world import World
from tests.bot.releases_made import START, Floor, button_values, words
from tests.bot.workspace import DANA, MIA, TOM
from tests.builders import ManualClock
from tests.conftest import JobList


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def test_a_release_is_proposed_approved_and_started_by_the_next_tick(floor: Floor) -> None:
    floor.started()

    assert floor.history() == ["proposed", "approved", "started"]
    assert floor.rollout().state is State.PROGRESSING


def test_a_stage_that_baked_and_passes_widens_by_itself(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(hours=1, minutes=10)
    floor.phones_report(crashing=0)

    decision = floor.tick()

    assert decision == Advance(stage=1, reason="5 % baked for 1 h, all guardrails hold; on to 25 %")
    assert floor.rollout().stage == 1


def test_without_data_nothing_widens(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(hours=2)

    assert isinstance(floor.tick(), Hold)
    assert floor.rollout().stage == 0


def test_a_breach_of_most_phones_rolls_back_at_once_and_wants_one_ticket_for_the_worst_cohort(floor: Floor) -> None:
    release = floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)
    floor.phones_report(crashing=0.4, on="Helio G35", installs=250)

    decision = floor.tick()
    floor.tick()

    assert isinstance(decision, RollBack)
    assert floor.rollout().state is State.ROLLING_BACK
    with reading(floor.ctx.databases.control) as session:
        (ticket,) = tickets.of_release(session, release.id)
        files = artifact_store.find_artifacts(session, app="demo", model="kws", version="1.4.0")
        assert audit.verify(session) is None
    assert ticket.regression.cohort == 'chipset="Helio G35"'
    assert ticket.regression.evidence[0].candidate == pytest.approx(0.4)
    assert floor.jobs.names().count("open_ticket") == 1
    assert all(file.quarantined for file in files)


def test_a_breach_of_all_phones_is_told_once_with_the_figures_of_the_guardrail(floor: Floor) -> None:
    release = floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0.4)

    floor.tick()

    with reading(floor.ctx.databases.control) as session:
        (ticket,) = tickets.of_release(session, release.id)
    assert [(row.cohort, row.metric) for row in ticket.regression.evidence] == [("", "crash_rate")]


def test_slack_down_does_not_keep_a_rollback_from_standing_and_the_news_comes_later(floor: Floor) -> None:
    floor.started()
    floor.run()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)
    floor.phones_report(crashing=0.4, on="Helio G35", installs=250)
    floor.world.faults.set(slack_down=True)

    floor.tick()
    floor.run()

    assert floor.rollout().state is State.ROLLING_BACK
    assert "Rolling back" not in words(floor.card())

    floor.world.faults.set(slack_down=False)
    floor.run()

    assert "Rolling back" in words(floor.card())
    assert "rolled back at 5 %" in words(floor.news()[-1])
    assert "Helio G35" in words(floor.news()[-1])
    assert floor.jobs.failed == []


def test_the_tick_after_a_halt_holds_and_the_same_breach_stays_one_ticket_when_rolled_back(floor: Floor) -> None:
    floor.type(DANA, START.replace("<+0.2pt", "<+0.2pt:halt"))
    floor.type(MIA, "release approve R1")
    floor.tick()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0.4, on="Helio G35")

    assert isinstance(floor.tick(), Halt)
    assert isinstance(floor.tick(), Hold)
    floor.type(MIA, "release rollback R1 reason=enough")

    assert floor.history() == ["proposed", "approved", "started", "halted", "rolled_back"]
    with reading(floor.ctx.databases.control) as session:
        assert len(tickets.of_release(session, floor.release().id)) == 1


def test_the_last_stage_completes_and_the_next_release_supersedes_it(floor: Floor) -> None:
    floor.type(DANA, START.replace("5,25,100", "50,100"))
    floor.type(MIA, "release approve R1")
    floor.tick()
    for _ in range(2):
        floor.clock.advance(hours=1, minutes=10)
        floor.phones_report(crashing=0)
        floor.tick()

    assert floor.rollout().state is State.COMPLETED
    assert floor.history()[-2:] == ["advanced", "completed"]


def test_installs_that_all_returned_end_the_rolling_back(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0.4)
    floor.type(MIA, "release rollback R1")

    assert isinstance(floor.tick(), Hold)
    floor.clock.advance(days=1, minutes=1)
    floor.tick()

    assert floor.rollout().state is State.ROLLED_BACK
    assert floor.history()[-1] == "returned"


def test_a_tick_that_is_raced_by_a_person_changes_nothing(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(hours=1, minutes=10)
    floor.phones_report(crashing=0)

    def while_the_tick_looks(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "cells" in statement and floor.rollout().state is State.PROGRESSING:
            acts.act(floor.ctx, Wish(verb="halt", ref="R1", by=TOM), now=floor.clock())

    sa.event.listen(floor.ctx.databases.ingest_engine, "before_cursor_execute", while_the_tick_looks)
    decision = floor.tick()
    sa.event.remove(floor.ctx.databases.ingest_engine, "before_cursor_execute", while_the_tick_looks)

    assert isinstance(decision, Hold)
    assert floor.rollout().state is State.HALTED
    assert floor.history() == ["proposed", "approved", "started", "halted"]


def test_of_two_people_and_a_tick_at_the_same_moment_only_one_widens_the_stage(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(hours=1, minutes=10)
    floor.phones_report(crashing=0)
    outcomes: list[object] = []
    start = threading.Barrier(5)

    def click(person: str) -> None:
        start.wait()
        outcomes.append(acts.act(floor.ctx, Wish(verb="advance", ref="R1", by=person, stage=1), now=floor.clock()).late)

    def tick() -> None:
        start.wait()
        outcomes.append(floor.tick())

    threads = [threading.Thread(target=click, args=(person,)) for person in (DANA, TOM, DANA, TOM)]
    threads.append(threading.Thread(target=tick))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(outcomes) == 5
    assert floor.rollout().stage == 1
    assert floor.history().count("advanced") == 1


def test_a_failed_carry_out_leaves_nothing_behind(floor: Floor) -> None:
    floor.started()
    release, before = floor.release(), floor.rollout()
    floor.type(DANA, "release pause R1")
    jobs, history = floor.jobs.names(), floor.history()

    with pytest.raises(ConflictError), floor.ctx.databases.control.begin() as session:
        carry_out(session, release, before, Halt(reason="late"), by=TOM, now=floor.clock())

    assert (floor.jobs.names(), floor.history()) == (jobs, history)


def test_the_halted_news_offers_what_a_person_may_do_now(floor: Floor) -> None:
    floor.type(DANA, START.replace("<+0.2pt", "<+0.2pt:halt"))
    floor.type(MIA, "release approve R1")
    floor.tick()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0.4, on="Helio G35")
    floor.tick()
    floor.run()

    buttons = button_values(floor.news()[-1])

    assert buttons["Roll back everywhere"] == "release rollback R1"
    assert buttons["False alarm – mute 24 h"].startswith("ticket mute ")
