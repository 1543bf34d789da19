"""What the minute tick asks besides guardrails: sizes of the arms, lost installs, files, approvals, other metrics."""

from __future__ import annotations

from typing import Any

import pytest

from bot.context import Context
from core.db import reading
from releases import artifact_store
from releases.plan import Release
from releases.rollout import Advance, Hold, Pause, PausedFor, RollBack, State
from sandbox.world import World
from tests.bot.releases_made import START, Floor, button_values, words
from tests.bot.workspace import DANA, MIA, PAM, TOM
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.releases.builders import an_artifact


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def start(floor: Floor, plan: str) -> Release:
    floor.type(DANA, plan)
    floor.type(MIA, "release approve R1")
    floor.tick()
    return floor.release()


def test_arms_of_unequal_size_pause_the_release_once_it_has_baked(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0, installs=300, candidates=150)

    assert isinstance(floor.tick(), Hold)
    floor.clock.advance(hours=1)
    decision = floor.tick()

    assert isinstance(decision, Pause)
    assert decision.why is PausedFor.SRM
    assert "150 installs on the candidate and 300 on the baseline" in decision.reason
    floor.type(DANA, "release resume R1")
    assert isinstance(floor.tick(), Advance)


def test_a_halted_cohort_does_not_make_the_arms_unequal(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0, on="Helio G35", installs=300, candidates=20)
    floor.phones_report(crashing=0)
    floor.type(MIA, "release halt R1 where='chipset=\"Helio G35\"'")
    floor.clock.advance(hours=1)

    assert isinstance(floor.tick(), Advance)


def test_installs_that_fall_silent_on_the_candidate_pause_the_release(floor: Floor) -> None:
    start(floor, START.replace("bake=1h", "bake=2d"))
    floor.clock.advance(minutes=30)
    floor.phones_report(crashing=0)
    for _ in range(3):
        floor.clock.advance(hours=9)
        floor.phones_report(crashing=0, candidates=100)

    decision = floor.tick()

    assert isinstance(decision, Pause)
    assert decision.why is PausedFor.INSTALLS
    assert "Lost installs 50 % against 0 %" in decision.reason
    floor.type(DANA, "release resume R1")
    assert isinstance(floor.tick(), Hold)


def test_installs_that_never_run_the_candidate_are_lost_too(floor: Floor) -> None:
    release = start(floor, START.replace("bake=1h", "bake=2d"))
    stuck = {"name": "kws", "version": "1.3.2", "release": release.id, "arm": "candidate"}
    for _ in range(4):
        floor.clock.advance(hours=9)
        floor.phones_report(crashing=0, model=stuck)

    decision = floor.tick()

    assert isinstance(decision, Pause)
    assert "Lost installs 100 % against 0 %" in decision.reason


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [("1.3.2", "the way back is gone: no file of 1.3.2"), ("1.4.0", "a file of 1.4.0 that was approved is no longer")],
)
def test_nothing_widens_without_the_approved_files_and_a_way_back(floor: Floor, gone: str, sentence: str) -> None:
    floor.started()
    floor.clock.advance(hours=1, minutes=10)
    floor.phones_report(crashing=0)
    with floor.ctx.databases.control.begin() as session:
        digests = [an_artifact(gone).sha256]
        artifact_store.quarantine(session, app="demo", digests=digests, reason="recalled", now=floor.clock())

    decision = floor.tick()

    assert isinstance(decision, Hold)
    assert sentence in decision.reason
    floor.clock.advance(days=4)
    floor.phones_report(crashing=0)
    later = floor.tick()
    assert isinstance(later, Pause)
    assert later.why is PausedFor.BLOCKED


def test_a_new_kind_of_phone_that_can_run_no_file_holds_the_next_stage_until_it_is_left_out(floor: Floor) -> None:
    with floor.ctx.databases.control.begin() as session:
        needy = an_artifact("1.5.0", min_os="android 12", is_baseline=False)
        artifact_store.register_artifact(session, needy, app="demo", by="key_1", now=floor.clock())
    start(floor, START.replace("kws@1.4.0", "kws@1.5.0"))
    floor.clock.advance(hours=1, minutes=10)
    floor.phones_report(crashing=0, both={"os.version": "13"})
    floor.phones_report(crashing=0, on="Old One", installs=20, both={"os.version": "9"})

    decision = floor.tick()

    assert "40 of last week's installs can run no file of 1.5.0 (needs android 12)" in decision.reason
    floor.type(MIA, "release halt R1 where='chipset=\"Old One\"'")
    assert isinstance(floor.tick(), Advance)


def test_a_release_of_the_baseline_against_itself_pauses_at_an_alarm_and_quarantines_nothing(floor: Floor) -> None:
    floor.type(DANA, START.replace("kws@1.4.0", "kws@1.3.2") + " mode=aa")
    floor.type(MIA, "release approve R1")
    floor.tick()
    floor.run()
    assert "kws 1.3.2 against itself (A/A)" in words(floor.card())
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0.5)

    decision = floor.tick()

    assert isinstance(decision, Pause)
    assert "the measuring is at fault" in decision.reason
    with reading(floor.ctx.databases.control) as session:
        files = artifact_store.find_artifacts(session, app="demo", model="kws")
    assert not any(file.quarantined for file in files)


def test_held_back_installs_are_named_on_the_card(floor: Floor) -> None:
    start(floor, f"{START} holdback=5")
    floor.run()

    assert "5 % held back" in words(floor.card())


def test_a_completed_release_is_still_judged_while_it_is_watched(floor: Floor) -> None:
    start(floor, f"{START.replace('5,25,100', '50,100')} holdback=5")
    for _ in range(2):
        floor.clock.advance(hours=1, minutes=10)
        floor.phones_report(crashing=0)
        floor.tick()
    assert floor.rollout().state is State.COMPLETED
    floor.clock.advance(hours=1)
    floor.phones_report(crashing=0.5)

    assert isinstance(floor.tick(), RollBack)


@pytest.mark.parametrize("state", ["pause", "halt"])
def test_guardrails_are_judged_while_the_release_waits_for_people(floor: Floor, state: str) -> None:
    floor.started()
    floor.type(DANA, f"release {state} R1")
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0.5)

    assert isinstance(floor.tick(), RollBack)


def test_two_people_have_to_approve_where_the_plan_says_so(floor: Floor) -> None:
    floor.type(DANA, f"{START} approvals=2")
    floor.run()
    assert "2 people have to approve this plan, 0 have" in words(floor.card())
    click = button_values(floor.card())["Approve"]

    assert "1 more person must approve" in words(floor.type(MIA, click))
    assert "You have approved R1 already; 1 more person must" in words(floor.type(MIA, click))
    assert floor.rollout().state is State.AWAITING_APPROVAL
    floor.run()
    assert "2 people have to approve this plan, 1 have" in words(floor.card())
    assert "would be approved" in words(floor.type(TOM, f"{click} --dry-run"))
    assert "is approved" in words(floor.type(TOM, click))

    assert floor.rollout().state is State.SCHEDULED
    assert floor.history() == ["proposed", "approved_in_part", "approved"]


def test_an_approval_after_three_days_is_refused_with_what_to_do(floor: Floor) -> None:
    floor.type(PAM, START)
    floor.clock.advance(days=3)

    said = words(floor.type(MIA, "release approve R1"))

    assert "The request to approve R1 expired on Thu 19 Nov 09:00 UTC" in said
    assert "Cancel it and propose it again." in said
    assert floor.rollout().state is State.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("guard", "told"),
    [
        pytest.param("over_40ms<+2pt", {"latency_ms": {"scheme": "log2x4", "buckets": {"24": 100}}}, id="a limit"),
        pytest.param("confidence>-5pt", {"confidence": {"edges": [0, 0.5, 1], "counts": [60, 40]}}, id="confidence"),
        pytest.param("battery<+0.5pt", {"battery_pct": 2.5}, id="battery"),
    ],
)
def test_other_metrics_than_rates_of_harm_stop_a_release_too(floor: Floor, guard: str, told: dict[str, Any]) -> None:
    start(floor, START.replace("crash_rate<+0.2pt", guard))
    usual = {
        "latency_ms": {"scheme": "log2x4", "buckets": {"18": 100}},
        "confidence": {"edges": [0, 0.5, 1], "counts": [20, 80]},
        "battery_pct": 0.5,
    }
    for _ in range(3):
        floor.clock.advance(hours=1)
        floor.phones_report(crashing=0, both=usual, **told)

    decision = floor.tick()

    assert isinstance(decision, RollBack)
    assert decision.cohort is None


def test_the_card_says_what_cannot_be_seen_yet(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0, installs=40)
    floor.tick()
    floor.run()

    assert "With 40 of each" in words(floor.card())
    assert "would be seen" in words(floor.card())
