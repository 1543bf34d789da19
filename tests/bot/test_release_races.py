"""People and workers at the same moment: one outcome, one history, an audit log that is whole. On both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bot.context import Context
from bot.flows import acts, undo
from bot.flows.acts import Wish
from core import audit, segments
from core.db import reading
from core.errors import AppError
from releases.rollout import State
from sandbox.world import World
from tests.bot.releases_made import START, Floor
from tests.bot.workspace import DANA, MIA, TOM
from tests.builders import ManualClock
from tests.conftest import JobList

G35 = 'chipset="Helio G35"'


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def at_once(*works: Callable[[], object]) -> list[object]:
    """Run everything in threads that start together; return what each returned or what refused it."""
    start, outcomes = threading.Barrier(len(works)), list[object]()

    def run(work: Callable[[], object]) -> None:
        start.wait()
        try:
            outcomes.append(work())
        except AppError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == len(works)
    return outcomes


def wish(floor: Floor, verb: str, by: str, **more: int) -> Callable[[], object]:
    return lambda: acts.act(floor.ctx, Wish(verb=verb, ref="R1", by=by, **more), now=floor.clock()).late  # type: ignore[arg-type]


def is_whole(floor: Floor) -> bool:
    with reading(floor.ctx.databases.control) as session:
        return audit.verify(session) is None


def test_two_workers_that_see_the_same_breach_stop_the_cohort_once(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0, installs=300)
    floor.phones_report(crashing=0.4, on="Helio G35")

    at_once(floor.tick, floor.tick, floor.tick)

    assert [segments.text(stop.segment) for stop in floor.rollout().stopped] == [G35]
    assert floor.history().count("cohort_rolled_back") == 1
    assert floor.jobs.names().count("open_ticket") == 1
    assert is_whole(floor)


def test_a_halt_beats_every_advance_however_they_fall_together(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(hours=1, minutes=10)
    floor.phones_report(crashing=0)

    at_once(
        wish(floor, "advance", DANA, stage=1), floor.tick, wish(floor, "halt", MIA),
        wish(floor, "advance", TOM, stage=1), wish(floor, "halt", TOM), floor.tick,
    )  # fmt: skip

    history = floor.history()
    assert floor.rollout().state is State.HALTED
    assert history[-1] == "halted"
    assert history.count("halted") == 1
    assert history.count("advanced") <= 1
    assert is_whole(floor)


def test_two_approvals_that_come_together_are_two_people_and_one_start(floor: Floor) -> None:
    floor.type(DANA, f"{START} approvals=2")

    at_once(
        wish(floor, "approve", MIA), wish(floor, "approve", TOM), wish(floor, "approve", MIA),
        wish(floor, "approve", TOM),
    )  # fmt: skip
    at_once(floor.tick, floor.tick)

    assert floor.history() == ["proposed", "approved_in_part", "approved", "started"]
    assert is_whole(floor)


def test_an_approval_that_is_taken_back_while_the_release_starts_is_one_or_the_other(floor: Floor) -> None:
    floor.type(DANA, START)
    floor.type(MIA, "release approve R1")

    at_once(lambda: undo.undo(floor.ctx, MIA, None, now=floor.clock()), floor.tick)

    ends = {State.PROGRESSING: "started", State.AWAITING_APPROVAL: "taken_back"}
    assert floor.history() == ["proposed", "approved", ends[floor.rollout().state]]
    assert is_whole(floor)


def test_two_undos_of_one_change_take_it_back_once(floor: Floor) -> None:
    floor.started()
    floor.type(MIA, "release halt R1")

    at_once(*[lambda: undo.undo(floor.ctx, MIA, None, now=floor.clock())] * 3)

    assert floor.rollout().state is State.PROGRESSING
    assert floor.history().count("taken_back") == 1
    assert is_whole(floor)
