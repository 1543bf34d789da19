"""`undo`: what was changed in the last ten minutes is taken back where possible; it says what phones had by then."""

from __future__ import annotations

import pytest

from bot.context import Context
from core import audit
from core.db import reading
from releases.rollout import State
from sandbox.world import World
from tests.bot.releases_made import START, Floor, words
from tests.bot.workspace import DANA, MIA, PAM, TOM
from tests.builders import ManualClock
from tests.conftest import JobList

WHERE = "where='chipset=\"Helio G35\"'"


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def undo(floor: Floor, person: str, more: str = "") -> str:
    return words(floor.type(person, f"undo {more}".strip()))


def test_a_halt_is_taken_back_by_who_halted_and_the_bake_goes_on(floor: Floor) -> None:
    floor.started()
    before = floor.rollout()
    floor.type(MIA, "release halt R1")

    nothing = undo(floor, PAM)
    assert ("You changed nothing" in nothing, "Check the name" in nothing) == (True, False)
    assert "is taken back" in undo(floor, MIA)

    after = floor.rollout()
    assert (after.state, after.stage_since) == (State.PROGRESSING, before.stage_since)
    assert floor.history()[-1] == "taken_back"
    with reading(floor.ctx.databases.control) as session:
        assert audit.verify(session) is None


def test_it_says_what_phones_had_already_fetched(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)
    floor.type(DANA, "release advance R1")

    said = undo(floor, DANA)

    assert "cannot be taken back" in said
    assert "200 phones have fetched 1.4.0 by now" in said
    assert "release halt R1" in said
    assert floor.rollout().stage == 1


def test_an_approval_is_taken_back_before_the_release_starts_and_not_after(floor: Floor) -> None:
    floor.type(DANA, START)
    floor.type(MIA, "release approve R1")

    assert "is taken back" in undo(floor, MIA)
    assert floor.rollout().state is State.AWAITING_APPROVAL

    floor.type(MIA, "release approve R1")
    floor.tick()
    assert "has changed since; it is progressing now" in undo(floor, MIA)


def test_a_proposal_is_taken_back_by_cancelling_it(floor: Floor) -> None:
    floor.type(PAM, START)

    assert "is taken back" in undo(floor, PAM)
    assert floor.rollout().state is State.CANCELLED


def test_pauses_and_cohort_stops_are_taken_back_one_after_the_other(floor: Floor) -> None:
    floor.started()
    floor.type(DANA, f"release halt R1 {WHERE}")
    floor.type(DANA, "release pause R1")

    undo(floor, DANA)
    assert floor.rollout().state is State.PROGRESSING
    undo(floor, DANA, "R1")

    assert floor.rollout().stopped == ()
    assert floor.history()[-2:] == ["resumed", "cohort_resumed"]


def test_ten_minutes_later_it_is_too_late(floor: Floor) -> None:
    floor.started()
    floor.type(DANA, "release pause R1")
    floor.clock.advance(minutes=10, seconds=1)

    assert "You changed nothing in the last ten minutes" in undo(floor, DANA)
    assert floor.rollout().state is State.PAUSED


@pytest.mark.parametrize("line", ["release rollback R1", "release kill R1", f"release rollback R1 {WHERE}"])
def test_what_called_phones_back_cannot_be_taken_back(floor: Floor, line: str) -> None:
    floor.started()
    floor.type(DANA, line)
    history = floor.history()

    assert "never offered" in undo(floor, DANA)
    assert floor.history() == history


def test_what_somebody_else_changed_meanwhile_stays(floor: Floor) -> None:
    floor.started()
    floor.type(DANA, "release pause R1")
    floor.type(MIA, "release halt R1")

    assert "has changed since; it is halted now" in undo(floor, DANA)
    assert floor.rollout().state is State.HALTED


@pytest.mark.parametrize(
    ("line", "again"),
    [
        ('release freeze add "Fri 16:00 - Mon 08:00 UTC"', "release freeze list"),
        ("release throttle kws per_minute=3 where=tier=low", "release throttle kws"),
        (f"role grant <@{PAM}> operator", "role list"),
    ],
)
def test_other_changes_are_taken_back_too_and_that_as_well(floor: Floor, line: str, again: str) -> None:
    before = words(floor.type(PAM, again))
    floor.type(TOM, line)
    assert words(floor.type(PAM, again)) != before

    assert "is taken back" in undo(floor, TOM)

    assert words(floor.type(PAM, again)) == before


def test_removals_are_put_back(floor: Floor) -> None:
    floor.type(TOM, "release throttle kws per_minute=3 runs=cloud where=tier=low")
    floor.type(TOM, "release unthrottle T1")

    undo(floor, TOM)

    assert "at most 3 a minute, in the cloud instead, for tier=low" in words(floor.type(PAM, "release throttle kws"))


def test_a_dry_run_takes_nothing_back(floor: Floor) -> None:
    floor.started()
    floor.type(DANA, "release pause R1")

    assert "would be taken back" in undo(floor, DANA, "--dry-run")
    assert floor.rollout().state is State.PAUSED
