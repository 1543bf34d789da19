"""Who is offered what, in every state of a release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.device import DeviceContext
from core.segments import parse
from releases.buckets import bucket
from releases.offers import Live, Slot, offer
from releases.plan import Plan, parse_plan
from releases.states import State
from tests.releases.builders import a_release, a_rollout, an_artifact

BASELINE, CANDIDATE = an_artifact("1.3.2"), an_artifact()
PIXEL = DeviceContext(platform="android", ram_gb=8.0)
HALF = parse_plan(to="50,100", guard="none")
IN_CANDIDATE, IN_BASELINE = "device-42", "device-1"  # buckets 190238 and 972713 with the salt rel_01


def a_slot(state: State = State.PROGRESSING, plan: Plan = HALF, stage: int = 0, **changes: Any) -> Slot:
    live = Live(release=a_release(plan), rollout=a_rollout(state, stage=stage), candidates=(CANDIDATE,))
    return replace(Slot(model="kws", baselines=(BASELINE,), live=live), **changes)


def test_without_a_release_everybody_gets_the_baseline() -> None:
    found = offer("device-1", PIXEL, Slot(model="kws", baselines=(BASELINE,)))

    assert (found.artifact, found.arm, found.release_id, found.reason) == (BASELINE, "none", None, "STATIC")


@pytest.mark.parametrize("state", [State.PROGRESSING, State.PAUSED])
def test_the_bucket_decides_while_a_release_runs_or_pauses(state: State) -> None:
    inside, outside = (offer(install, PIXEL, a_slot(state)) for install in (IN_CANDIDATE, IN_BASELINE))

    assert (inside.artifact, inside.arm, inside.release_id, inside.reason) == (
        CANDIDATE,
        "candidate",
        "rel_01",
        "SPLIT",
    )
    assert (outside.artifact, outside.arm, outside.release_id) == (BASELINE, "baseline", "rel_01")


def test_who_is_in_neither_arm_is_left_out_of_the_comparison() -> None:
    five = parse_plan(to="5,100", guard="none")

    found = offer(IN_CANDIDATE, PIXEL, a_slot(plan=five))

    assert (found.artifact, found.arm, found.release_id) == (BASELINE, "none", "rel_01")


def test_a_device_outside_the_segment_keeps_the_baseline_and_counts_in_no_arm() -> None:
    plan = replace(HALF, segment=parse("ram_gb<4"))

    found = offer(IN_CANDIDATE, PIXEL, a_slot(plan=plan))

    assert (found.artifact, found.arm, found.reason) == (BASELINE, "none", "TARGETING_MATCH")


def test_a_device_on_which_no_candidate_runs_keeps_the_baseline_and_counts_in_no_arm() -> None:
    slot = a_slot()
    assert slot.live is not None
    slot = replace(slot, live=replace(slot.live, candidates=(replace(CANDIDATE, min_ram_gb=12.0),)))

    for install in (IN_CANDIDATE, IN_BASELINE):
        assert (offer(install, PIXEL, slot).artifact, offer(install, PIXEL, slot).arm) == (BASELINE, "none")


def test_after_a_halt_only_who_has_the_candidate_keeps_it() -> None:
    holder = replace(PIXEL, model="kws", model_version="1.4.0")
    halted = a_slot(State.HALTED)

    assert offer(IN_CANDIDATE, holder, halted).artifact == CANDIDATE
    assert offer(IN_CANDIDATE, replace(holder, model=None), halted).arm == "candidate"
    assert (offer(IN_CANDIDATE, PIXEL, halted).artifact, offer(IN_CANDIDATE, PIXEL, halted).arm) == (BASELINE, "none")
    assert offer(IN_CANDIDATE, replace(holder, model="ocr"), halted).artifact == BASELINE
    assert offer(IN_BASELINE, PIXEL, halted).arm == "baseline"


def test_while_a_release_rolls_back_everybody_is_told_to_return() -> None:
    holder = replace(PIXEL, model="kws", model_version="1.4.0")

    found = offer(IN_CANDIDATE, holder, a_slot(State.ROLLING_BACK))

    assert (found.artifact, found.arm, found.release_id) == (BASELINE, "none", "rel_01")


def test_a_quarantined_candidate_is_offered_to_nobody_whatever_the_state_says() -> None:
    slot = a_slot()
    assert slot.live is not None
    slot = replace(slot, live=replace(slot.live, candidates=(replace(CANDIDATE, quarantined=True),)))

    assert offer(IN_CANDIDATE, PIXEL, slot).artifact == BASELINE


def test_where_nothing_runs_the_app_keeps_its_own_model() -> None:
    needy = replace(BASELINE, min_ram_gb=64.0)

    none_runs = offer("device-1", PIXEL, Slot(model="kws", baselines=(needy,)))
    none_there = offer("device-1", PIXEL, Slot(model="kws", baselines=()))

    assert (none_runs.artifact, none_runs.reason) == (None, "DISABLED")
    assert (none_there.artifact, none_there.why) == (None, "the model has no baseline yet")


def test_the_fallback_is_the_next_best_file_and_then_the_baseline() -> None:
    small = replace(CANDIDATE, sha256="0" * 64, variant="small", size_bytes=10)
    slot = a_slot()
    assert slot.live is not None
    slot = replace(slot, live=replace(slot.live, candidates=(small, CANDIDATE)))

    found = offer(IN_CANDIDATE, PIXEL, slot)

    assert (found.artifact, found.fallback) == (CANDIDATE, (small, BASELINE))


@given(st.text(max_size=40))
def test_whoever_is_offered_the_candidate_keeps_it_at_every_wider_stage(install: str) -> None:
    plan = parse_plan(to="0.1,5,25,50,75,100", guard="none")

    arms = [offer(install, PIXEL, a_slot(plan=plan, stage=stage)).arm for stage in range(6)]

    assert arms[-1] == "candidate"
    assert arms[arms.index("candidate") :] == ["candidate"] * (6 - arms.index("candidate"))


def test_the_share_of_installs_on_the_candidate_is_the_stages() -> None:
    plan = parse_plan(to="5,100", guard="none")
    arms = [offer(f"device-{n}", PIXEL, a_slot(plan=plan)).arm for n in range(4000)]

    assert 0.04 < arms.count("candidate") / 4000 < 0.06
    assert 0.04 < arms.count("baseline") / 4000 < 0.06
    assert bucket("rel_01", IN_CANDIDATE) == 190238
