"""One cohort is stopped while the others go on: the acts, what is kept, and who is offered what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.db import Databases
from core.device import DeviceContext
from core.errors import ConflictError, NotAllowedError
from core.segments import EVERYONE, Segment, matches, parse
from releases import store
from releases.catalog import read_slots
from releases.offers import Live, Slot, offer
from releases.plan import parse_plan
from releases.rollout import Act, Complete, Halt, Resume, RollBack, Rollout, State, apply
from tests.builders import at
from tests.releases.builders import a_release, a_rollout, an_artifact, do, register_both, start

MALI = parse('chipset="Mali-G57" and os=12')
PHONE = DeviceContext(platform="android", chipset="Mali-G57", os="12")
OTHER = DeviceContext(platform="android", chipset="Tensor G2", os="12")
BASELINE, CANDIDATE = an_artifact("1.3.2"), an_artifact()
IN_CANDIDATE, IN_BASELINE = "device-42", "device-1"  # buckets 190238 and 972713 with the salt rel_01
HALF = parse_plan(to="50,100", guard="none")


def halted(rollout: Rollout | None = None, act: Act | None = None) -> Rollout:
    return apply(rollout or a_rollout(), act or Halt(reason="crashes", cohort=MALI), at(1))


def a_slot(rollout: Rollout) -> Slot:
    live = Live(release=a_release(HALF), rollout=rollout, candidates=(CANDIDATE,))
    return Slot(model="kws", baselines=(BASELINE,), live=live)


def test_halting_a_cohort_leaves_the_release_where_it_is() -> None:
    before = a_rollout(revision=7)

    after = halted(before)

    assert replace(after, stopped=(), revision=7) == before
    assert after.revision == 8
    assert [(stop.segment, stop.reason, stop.returns) for stop in after.stopped] == [(MALI, "crashes", False)]


@pytest.mark.parametrize("state", [State.DRAFT, State.SCHEDULED, State.ROLLING_BACK, State.SUPERSEDED])
def test_a_cohort_is_stopped_only_where_somebody_may_have_the_candidate(state: State) -> None:
    with pytest.raises(ConflictError, match="no cohort of it can be halted"):
        halted(a_rollout(state))


def test_everyone_is_no_cohort() -> None:
    with pytest.raises(ConflictError, match="leave it out to mean the whole release"):
        halted(act=Halt(reason="x", cohort=EVERYONE))


def test_the_same_cohort_is_halted_once_and_may_then_be_rolled_back() -> None:
    once = halted()

    with pytest.raises(ConflictError, match="is halted already"):
        halted(once)
    back = halted(once, RollBack(reason="worse", cohort=MALI))

    assert [(stop.returns, stop.reason) for stop in back.stopped] == [(True, "worse")]


def test_a_halted_cohort_can_be_resumed_and_one_that_was_rolled_back_cannot() -> None:
    assert halted(halted(), Resume(reason="fixed", cohort=MALI)).stopped == ()
    with pytest.raises(ConflictError, match="is not halted"):
        halted(act=Resume(reason="fixed", cohort=MALI))
    with pytest.raises(NotAllowedError, match="never offered this candidate again"):
        halted(halted(act=RollBack(reason="worse", cohort=MALI)), Resume(reason="fixed", cohort=MALI))


def test_only_new_installs_of_a_halted_cohort_are_kept_from_the_candidate() -> None:
    slot = a_slot(halted())
    holder = replace(PHONE, model="kws", model_version="1.4.0")

    assert offer(IN_CANDIDATE, OTHER, slot).artifact == CANDIDATE
    assert offer(IN_CANDIDATE, holder, slot).artifact == CANDIDATE
    found = offer(IN_CANDIDATE, PHONE, slot)
    assert (found.artifact, found.arm, found.why) == (BASELINE, "none", "the release is halted for this cohort")
    assert offer(IN_BASELINE, PHONE, slot).arm == "baseline"


def test_holders_of_a_cohort_that_was_rolled_back_are_told_to_return() -> None:
    slot = a_slot(halted(act=RollBack(reason="crashes", cohort=MALI)))
    holder = replace(PHONE, model="kws", model_version="1.4.0")

    assert offer(IN_CANDIDATE, holder, slot).artifact == BASELINE
    assert offer(IN_CANDIDATE, OTHER, slot).artifact == CANDIDATE


def test_cohort_stops_survive_the_database(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = start(session)
        after = do(
            session, rollout, Halt(reason="crashes", cohort=MALI), RollBack(reason="x", cohort=parse("ram_gb<3"))
        )

        assert store.load_rollout(session, rollout.release_id) == after
        assert [stop.segment for stop in after.stopped] == [MALI, parse("ram_gb<3")]


def test_a_cohort_stays_on_the_earlier_baseline_after_the_release_completed(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = start(session)
        do(session, rollout, Halt(reason="crashes", cohort=MALI), Complete(reason="done"), hours=24)
        slot = read_slots(session)["demo"][0]

    assert offer("device-1", PHONE, slot).artifact == an_artifact("1.3.2", is_baseline=True)
    assert offer("device-1", OTHER, slot).artifact == an_artifact("1.4.0")


VALUES = st.sampled_from(["Mali-G57", "Tensor G2", "Helio G35"])
DEVICES = st.builds(DeviceContext, platform=st.just("android"), chipset=VALUES, os=st.sampled_from(["11", "12"]),
                    ram_gb=st.sampled_from([2.0, 4.0, None]))  # fmt: skip
COHORTS = st.sampled_from([MALI, parse("chipset=Mali-G57"), parse("ram_gb<3"), parse("not os=12"), parse("os=11")])
ACTS = st.one_of(
    st.builds(Halt, reason=st.just("h"), cohort=COHORTS), st.builds(RollBack, reason=st.just("r"), cohort=COHORTS),
    st.builds(Resume, reason=st.just("on"), cohort=COHORTS),
)  # fmt: skip


@given(acts=st.lists(ACTS, max_size=8), device=DEVICES, install=st.text(max_size=12), stage=st.integers(0, 1))
def test_no_new_install_of_a_stopped_cohort_is_ever_offered_the_candidate(
    acts: list[Act], device: DeviceContext, install: str, stage: int
) -> None:
    rollout = a_rollout(stage=stage)
    stopped: set[Segment] = set()
    for act in acts:
        assert isinstance(act, Halt | RollBack | Resume)
        assert act.cohort is not None
        try:
            rollout = apply(rollout, act, at(1))
        except (ConflictError, NotAllowedError):
            continue
        (stopped.discard if isinstance(act, Resume) else stopped.add)(act.cohort)

    found = offer(install, device, a_slot(rollout))

    is_stopped = any(matches(cohort, device) for cohort in stopped)
    assert {stop.segment for stop in rollout.stopped} == stopped
    if is_stopped:
        assert found.artifact == BASELINE
    else:
        assert found.artifact == offer(install, device, a_slot(a_rollout(stage=stage))).artifact
