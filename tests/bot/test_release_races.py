"""Two workers, two people and a stop at the same moment, in threads on a real database: one outcome, one history."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bot.context import Context
from bot.flows import acts
from bot.flows.acts import Wish
from core import audit
from core.db import reading
from core.errors import AppError
from releases import store
from releases.artifact_store import find_artifact
from releases.rollout import Hold, State
from sandbox.world import World
from tests.bot.releases_made import START, Floor
from tests.bot.workspace import DANA, MIA, TOM
from tests.builders import ManualClock
from tests.conftest import JobList


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    """A release at 5 % that has baked and looks well: it is due to widen."""
    floor = Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)
    floor.started()
    floor.clock.advance(hours=1, minutes=10)
    floor.phones_report(crashing=0)
    return floor


def at_once(*deeds: Callable[[], object]) -> list[object]:
    """Do all of it in threads that start together; return what came of each, mistakes included."""
    found: list[object] = []
    start = threading.Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> None:
        start.wait()
        try:
            found.append(deed())
        except AppError as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == len(deeds)
    return found


def clicking(floor: Floor, verb: str, by: str, *, stage: int | None = None) -> Callable[[], object]:
    return lambda: acts.act(floor.ctx, Wish(verb=verb, ref="R1", by=by, stage=stage), now=floor.clock())


def revisions(floor: Floor) -> list[int]:
    with reading(floor.ctx.databases.control) as session:
        return [event.facts["revision"] for event in store.history(session, floor.release().id)]


def is_whole(floor: Floor) -> bool:
    with reading(floor.ctx.databases.control) as session:
        return audit.verify(session) is None


@pytest.mark.parametrize(
    ("verb", "state"), [("halt", State.HALTED), ("rollback", State.ROLLING_BACK), ("kill", State.ROLLING_BACK)]
)
def test_a_stop_stands_whoever_else_acts_at_the_same_moment(floor: Floor, verb: str, state: State) -> None:
    at_once(
        clicking(floor, "advance", DANA, stage=1), clicking(floor, verb, MIA), floor.tick,
        clicking(floor, verb, TOM), floor.tick,
    )  # fmt: skip

    history, rollout = floor.history(), floor.rollout()
    assert rollout.state is state
    assert history.count("advanced") <= 1
    assert rollout.stage == history.count("advanced")
    stops = [what for what in history if what in ("halted", "rolled_back", "killed")]
    assert len(stops) == 1 or stops == ["killed", "killed"]  # what rolls back already may be killed once more
    assert revisions(floor) == list(range(2, rollout.revision + 1))
    assert is_whole(floor)
    assert isinstance(floor.tick(), Hold)
    assert floor.rollout() == rollout


def test_two_workers_widen_a_stage_once_and_tell_it_once(floor: Floor) -> None:
    floor.jobs.waiting.clear()

    at_once(*[floor.tick] * 4)

    assert (floor.rollout().stage, floor.history().count("advanced")) == (1, 1)
    assert sorted(floor.jobs.names()) == ["announce", "show_card"]


def test_two_different_stops_at_once_leave_the_harder_one_or_refuse_the_later(floor: Floor) -> None:
    at_once(clicking(floor, "halt", MIA), clicking(floor, "rollback", TOM), clicking(floor, "pause", DANA))

    assert floor.rollout().state is State.ROLLING_BACK
    assert revisions(floor) == list(range(2, floor.rollout().revision + 1))
    with floor.ctx.databases.control.begin() as session:
        files = store.load_release(session, "R1").candidates
        assert find_artifact(session, app="demo", sha256=files[0]).quarantined


def test_approving_and_rejecting_at_once_ends_in_one_of_them(
    ctx: Context, world: World, jobs: JobList, clock: ManualClock
) -> None:
    floor = Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)
    floor.type(DANA, START)

    at_once(
        clicking(floor, "approve", MIA), clicking(floor, "reject", TOM), floor.tick, clicking(floor, "approve", TOM)
    )

    told = floor.history()[1:]
    assert told in (["approved"], ["rejected"], ["approved", "started"])
    assert is_whole(floor)
