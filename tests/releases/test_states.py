"""The state table: what leads where, and what cannot be done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConflictError, NotAllowedError
from releases.states import (
    LIVE,
    TABLE,
    WATCHED,
    Act,
    Advance,
    Approve,
    Cancel,
    Complete,
    Halt,
    Hold,
    Kill,
    Pause,
    PausedFor,
    Reject,
    Resume,
    RollBack,
    Rollout,
    State,
    Submit,
    Supersede,
    apply,
    approval_subject,
    draft,
)
from tests.builders import T0, at
from tests.releases.builders import a_rollout

STOPS: list[Act] = [Halt(reason="stop"), RollBack(reason="back"), Kill(reason="now")]
OVER = frozenset({State.ROLLED_BACK, State.SUPERSEDED, State.CANCELLED, State.REJECTED})


@pytest.mark.parametrize("act", STOPS, ids=lambda act: type(act).__name__)
@pytest.mark.parametrize("state", [State.PROGRESSING, State.PAUSED, State.COMPLETED])
def test_a_running_release_can_be_stopped_in_every_state(state: State, act: Act) -> None:
    assert apply(a_rollout(state), act, at(1)).state is TABLE[state, type(act)]


@pytest.mark.parametrize("state", sorted(OVER))
def test_what_is_over_stays_over(state: State) -> None:
    with pytest.raises(ConflictError, match="it cannot be advanced now"):
        apply(a_rollout(state), Advance(stage=1, reason="go"), at(1))


def test_every_other_state_can_be_left() -> None:
    assert {state for state, _ in TABLE} == set(State) - OVER
    assert set(TABLE.values()) == set(State) - {State.DRAFT}


def test_a_hold_changes_nothing() -> None:
    assert apply(rollout := a_rollout(), Hold(reason="baking"), at(5)) is rollout


def test_each_act_moves_the_revision_on_by_one_and_says_why() -> None:
    after = apply(a_rollout(revision=7), Pause(reason="lunch"), at(5))

    assert (after.state, after.revision, after.reason, after.since) == (State.PAUSED, 8, "lunch", at(5))
    assert (after.paused_for, after.stage_since) == (PausedFor.MANUAL, T0)


def test_resuming_goes_on_with_the_same_bake() -> None:
    paused = a_rollout(State.PAUSED, paused_for=PausedFor.MANUAL, since=at(5))

    after = apply(paused, Resume(reason="back from lunch"), at(6))

    assert (after.state, after.paused_for, after.stage_since, after.since) == (State.PROGRESSING, None, T0, at(6))


def test_going_on_after_a_halt_needs_an_approval_and_bakes_again() -> None:
    halted = a_rollout(State.HALTED, since=at(5))

    with pytest.raises(NotAllowedError, match="only after an approval"):
        apply(halted, Resume(reason="let us see"), at(6))
    assert apply(halted, Approve(), at(6)).stage_since == at(6)


def test_resuming_does_not_stand_in_for_the_approval_of_a_stage() -> None:
    waiting = a_rollout(State.PAUSED, paused_for=PausedFor.APPROVAL)

    with pytest.raises(NotAllowedError, match="waits for an approval"):
        apply(waiting, Resume(reason="hurry"), at(6))
    assert apply(waiting, Approve(), at(6)).cleared == 1


def test_an_approval_does_not_end_a_pause_that_waits_for_none() -> None:
    with pytest.raises(ConflictError, match="resume it instead"):
        apply(a_rollout(State.PAUSED, paused_for=PausedFor.NO_DATA), Approve(), at(6))


@pytest.mark.parametrize("stage", [0, 2])
def test_a_stage_is_never_skipped_or_repeated(stage: int) -> None:
    with pytest.raises(ConflictError, match="is not the next"):
        apply(a_rollout(), Advance(stage=stage, reason="go"), at(1))


def test_an_approval_is_out_of_date_once_plan_stage_or_halt_have_changed() -> None:
    waiting = a_rollout(State.PAUSED, paused_for=PausedFor.APPROVAL)
    subjects = [
        approval_subject(a_rollout(State.AWAITING_APPROVAL), "a"),
        approval_subject(a_rollout(State.AWAITING_APPROVAL), "b"),
        approval_subject(waiting, "a"),
        approval_subject(a_rollout(State.PAUSED, paused_for=PausedFor.APPROVAL, stage=1), "a"),
        approval_subject(a_rollout(State.HALTED, revision=5), "a"),
        approval_subject(a_rollout(State.HALTED, revision=9), "a"),
    ]

    assert None not in subjects
    assert len(set(subjects)) == len(subjects)
    assert approval_subject(a_rollout(), "a") is None
    assert approval_subject(a_rollout(State.PAUSED, paused_for=PausedFor.MANUAL), "a") is None


ACTS = st.one_of(
    st.builds(Advance, stage=st.integers(0, 3), reason=st.just("go")),
    st.builds(Pause, reason=st.just("p"), why=st.sampled_from(PausedFor)),
    st.sampled_from([
        *STOPS, Complete(reason="c"), Submit(), Approve(), Reject(reason="no"), Resume(reason="on"),
        Cancel(reason="off"), Supersede(reason="newer"), Hold(reason="wait"),
    ]),
)  # fmt: skip


@given(st.lists(ACTS, max_size=40))
def test_whatever_people_click_shares_only_grow_and_a_rolled_back_release_never_serves_again(acts: list[Act]) -> None:
    rollout: Rollout = draft("rel_01", now=T0)
    states = [rollout.state]
    for hour, act in enumerate(acts):
        try:
            after = apply(rollout, act, T0 + timedelta(hours=hour))
        except (ConflictError, NotAllowedError):
            continue
        assert after.stage in (rollout.stage, rollout.stage + 1)
        assert after.revision == rollout.revision + (not isinstance(act, Hold))
        rollout = after
        states.append(rollout.state)

    if State.ROLLING_BACK in states:
        after_rollback = states[states.index(State.ROLLING_BACK) :]
        assert set(after_rollback) <= {State.ROLLING_BACK, State.ROLLED_BACK}
    if State.PROGRESSING in states:
        assert states.index(State.SCHEDULED) < states.index(State.PROGRESSING)


def test_the_tick_looks_at_every_release_in_which_somebody_may_have_the_candidate() -> None:
    assert LIVE < WATCHED
    assert not WATCHED & OVER
