"""`release freeze …`: nothing widens then, by hand or by itself; every stop works."""

from __future__ import annotations

import pytest

from bot.context import Context
from core import audit
from core.db import reading
from releases.rollout import Advance, Hold, Pause, PausedFor, Resume, State
from sandbox.world import World
from tests.bot.releases_made import START, Floor, words
from tests.bot.workspace import DANA, MIA, PAM, TOM
from tests.builders import ManualClock
from tests.conftest import JobList

ALL_DAY = 'release freeze add "2026-11-16 09:30 – 2026-11-16 18:00 UTC" reason="board meeting"'


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def baked(floor: Floor) -> None:
    """The release has baked and is sound, and it is frozen."""
    floor.started()
    floor.clock.advance(hours=1, minutes=10)
    floor.phones_report(crashing=0)
    floor.type(MIA, ALL_DAY)


def test_a_freeze_is_added_listed_and_removed(floor: Floor) -> None:
    assert "*F1* Fri 16:00 – Mon 08:00 Europe/Berlin is frozen" in words(
        floor.type(DANA, "release freeze add Fri 16:00 – Mon 08:00 Europe/Berlin")
    )
    assert "is F1 already" in words(floor.type(MIA, 'release freeze add "Fri 16:00 - Mon 08:00 Europe/Berlin"'))

    listed = words(floor.type(PAM, "release freeze list"))
    assert "Nothing is frozen now." in listed
    assert "F1" in listed

    assert "is removed" in words(floor.type(DANA, "release freeze remove f1"))
    assert "No freeze." in words(floor.type(PAM, "release freeze"))
    with reading(floor.ctx.databases.control) as session:
        assert [entry.what for entry in audit.entries(session, limit=2)] == ["freeze.removed", "freeze.added"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("release freeze add Fri 16:00 - Mon 25:00 Europe/Berlinn", "did you mean Europe/Berlin?"),
        ("release freeze add", "say when"),
        ("release freeze ad x", "did you mean add?"),
        ("release freeze remove F9", "There is no freeze F9"),
        ("release freeze remove", "name it"),
        ("release freeze add someday", "must have a beginning and an end"),
    ],
)
def test_a_freeze_that_cannot_be_read_is_refused_with_what_to_write(floor: Floor, line: str, answer: str) -> None:
    assert answer in words(floor.type(DANA, line))


def test_without_the_right_the_calendar_stays_as_it_is(floor: Floor) -> None:
    assert "You may not change the freezes" in words(floor.type(PAM, ALL_DAY))
    assert "Dry run" in words(floor.type(DANA, f"{ALL_DAY} --dry-run"))
    assert "No freeze." in words(floor.type(PAM, "release freeze list"))


def test_a_stage_that_would_widen_waits_for_the_end_of_the_freeze_and_goes_on_by_itself(floor: Floor) -> None:
    baked(floor)

    first = floor.tick()

    assert isinstance(first, Pause)
    assert first.why is PausedFor.FREEZE
    assert "board meeting" in first.reason
    floor.clock.advance(hours=9)
    floor.phones_report(crashing=0)
    assert isinstance(floor.tick(), Resume)
    assert isinstance(floor.tick(), Advance)


def test_nobody_widens_by_hand_either_but_every_stop_works(floor: Floor) -> None:
    baked(floor)

    assert "Nothing widens now: frozen until Mon 16 Nov 18:00 UTC" in words(floor.type(DANA, "release advance R1"))
    assert "is halted" in words(floor.type(DANA, "release halt R1"))
    assert "is being rolled back" in words(floor.type(DANA, "release rollback R1"))
    assert floor.rollout().state is State.ROLLING_BACK


def test_nothing_starts_in_a_freeze_and_the_card_says_until_when(floor: Floor) -> None:
    floor.type(MIA, 'release freeze add "2026-11-16 08:00 – 2026-11-16 18:00 UTC"')
    floor.type(DANA, START)
    floor.type(MIA, "release approve R1")

    decision = floor.tick()
    floor.run()

    assert isinstance(decision, Hold)
    assert "frozen until Mon 16 Nov 18:00 UTC" in decision.reason
    assert "rozen until Mon 16 Nov 18:00 UTC" in words(floor.card())
    assert "cannot start: frozen" in words(floor.type(TOM, "release advance R1"))
    assert floor.rollout().state is State.SCHEDULED
