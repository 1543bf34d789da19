"""What the tick decides: breaches first, nothing without data, one stage at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConflictError, NotAllowedError
from releases.freeze import parse as parse_freeze
from releases.guardrails import Finding, Verdict, judge_all
from releases.outlook import with_outlook
from releases.plan import parse_plan
from releases.rollout import (
    Advance,
    Complete,
    Decision,
    Evidence,
    Frozen,
    Halt,
    Hold,
    Pause,
    PausedFor,
    Resume,
    RollBack,
    Rollout,
    State,
    apply,
    decide,
    next_step,
)
from tests.builders import at
from tests.releases.builders import CRASHES, PLAN, a_finding, a_rollout, rates, some_evidence

PASS, FAIL = a_finding(), a_finding(Verdict.FAIL)
NO_DATA, UNCLEAR = a_finding(Verdict.NO_DATA), a_finding(Verdict.INCONCLUSIVE)
HALTING, PAUSING = (a_finding(Verdict.FAIL, replace(CRASHES, on_fail=act)) for act in ("halt", "pause"))
LAST = a_rollout(stage=2)
WAITING = a_rollout(State.PAUSED, paused_for=PausedFor.MANUAL, reason="lunch")
HALTED = a_rollout(State.HALTED, reason="stopped by Mia")
BACK = a_rollout(State.ROLLING_BACK)
DONE = a_rollout(State.COMPLETED, stage=2)


@pytest.mark.parametrize(
    ("rollout", "findings", "hours", "expected"),
    [
        pytest.param(a_rollout(), [PASS], 23, Hold, id="holds while it bakes"),
        pytest.param(a_rollout(), [PASS], 24, Advance, id="advances once it has baked"),
        pytest.param(a_rollout(), [FAIL], 1, RollBack, id="rolls back without waiting to bake"),
        pytest.param(a_rollout(), [HALTING], 1, Halt, id="halts when the guardrail says so"),
        pytest.param(a_rollout(), [PAUSING], 1, Pause, id="pauses when the guardrail says so"),
        pytest.param(a_rollout(), [PAUSING, FAIL], 1, RollBack, id="takes the strongest of two breaches"),
        pytest.param(a_rollout(), [NO_DATA], 30, Hold, id="never advances without data"),
        pytest.param(a_rollout(), [], 30, Hold, id="never advances unjudged"),
        pytest.param(a_rollout(), [NO_DATA], 96, Pause, id="asks a person when data stays away"),
        pytest.param(a_rollout(), [UNCLEAR], 30, Hold, id="holds while inconclusive"),
        pytest.param(a_rollout(), [UNCLEAR], 96, Pause, id="asks a person when it stays inconclusive"),
        pytest.param(LAST, [PASS], 24, Complete, id="completes after the last stage"),
        pytest.param(WAITING, [PASS], 90, Hold, id="stays paused until a person resumes"),
        pytest.param(WAITING, [FAIL], 1, RollBack, id="rolls back while a person is waited for"),
        pytest.param(WAITING, [HALTING], 1, Halt, id="halts while a person is waited for"),
        pytest.param(WAITING, [PAUSING], 1, Hold, id="pauses only once"),
        pytest.param(HALTED, [FAIL], 1, RollBack, id="rolls back what was only halted"),
        pytest.param(HALTED, [HALTING], 1, Hold, id="halts only once"),
        pytest.param(DONE, [FAIL], 24, RollBack, id="rolls back while it is still watched"),
        pytest.param(DONE, [FAIL], 24 * 8, Hold, id="stops watching a week after completion"),
        pytest.param(BACK, [PASS], 23, Hold, id="waits for installs to return"),
        pytest.param(BACK, [PASS], 24, Complete, id="ends the way back at the deadline"),
        pytest.param(a_rollout(State.SCHEDULED), [], 0, Advance, id="starts when due"),
        pytest.param(a_rollout(State.AWAITING_APPROVAL), [PASS], 99, Hold, id="does nothing before approval"),
        pytest.param(a_rollout(State.ROLLED_BACK), [FAIL], 99, Hold, id="does nothing once it is over"),
    ],
)
def test_the_tick(rollout: Rollout, findings: list[Finding], hours: float, expected: type[Decision]) -> None:
    decision = decide(rollout, PLAN, findings, at(hours), evidence=some_evidence(hours))

    assert type(decision) is expected
    assert decision.reason
    apply(rollout, decision, at(hours))


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        pytest.param(Evidence(), "0 of 30 installs seen on the candidate", id="nothing was told in this stage"),
        pytest.param(some_evidence(baseline_installs=0), "seen on the baseline at 5 %", id="nothing of the baseline"),
        pytest.param(some_evidence(hours=10), "no telemetry from the candidate for 6 h", id="nothing for hours"),
    ],
)
def test_good_findings_of_earlier_stages_do_not_advance_a_silent_one(evidence: Evidence, words: str) -> None:
    decision = decide(a_rollout(), PLAN, [PASS], at(24), evidence=evidence)

    assert isinstance(decision, Hold)
    assert words in decision.reason


def test_a_handful_of_installs_whose_hours_pass_every_guardrail_advances_nothing() -> None:
    """Three installs of each arm report for a day: 72 hours, in which only very great harm would show."""
    measured = [rates(*[(0, 3, 0, 3)] * 24)]
    findings = with_outlook(judge_all([CRASHES], measured), measured)
    few = some_evidence(baseline_installs=3, candidate_installs=3)

    assert [(found.verdict, found.n_candidate) for found in findings] == [(Verdict.PASS, 72)]
    assert "only +21.4 pt or more would be seen" in str(findings[0].unseen)
    decision = decide(a_rollout(), PLAN, findings, at(24), evidence=few)
    assert isinstance(decision, Hold)
    assert decision.reason == "3 of 30 installs seen on the candidate at 5 %"
    waited = decide(a_rollout(), PLAN, findings, at(24 * 4), evidence=replace(few, newest=at(24 * 4)))
    assert isinstance(waited, Pause)
    assert waited.why is PausedFor.NO_DATA


def test_who_knows_that_there_are_few_installs_says_how_many_are_enough() -> None:
    plan = parse_plan(to="5,100", guard="crash_rate<+0.2pt", min_installs="3")
    few = some_evidence(baseline_installs=3, candidate_installs=3)

    assert isinstance(decide(a_rollout(), plan, [PASS], at(24), evidence=few), Advance)


def test_a_stage_without_enough_installs_holds() -> None:
    plan = parse_plan(to="5,100", guard="crash_rate<+0.2pt", min_installs="500")

    decision = decide(a_rollout(), plan, [PASS], at(24), evidence=some_evidence())

    assert isinstance(decision, Hold)
    assert decision.reason == "200 of 500 installs seen on the candidate at 5 %"


def test_without_guardrails_data_is_still_needed() -> None:
    plan = parse_plan(to="5,100", guard="none")

    assert isinstance(decide(a_rollout(), plan, [], at(24)), Hold)
    assert isinstance(decide(a_rollout(), plan, [], at(24), evidence=some_evidence()), Advance)


def test_the_last_stage_has_no_baseline_to_wait_for() -> None:
    decision = decide(LAST, PLAN, [PASS], at(24), evidence=some_evidence(baseline_installs=0))

    assert isinstance(decision, Complete)


def test_after_days_of_downtime_it_advances_one_stage_only() -> None:
    decision = decide(a_rollout(), PLAN, [PASS], at(24 * 30), evidence=some_evidence(24 * 30))

    assert isinstance(decision, Advance)
    assert decision.stage == 1


def test_a_stage_that_needs_a_person_pauses_for_one_and_goes_on_once_approved() -> None:
    plan = parse_plan(to="5,25,100", approve="25", guard="none")

    decision = decide(a_rollout(), plan, [], at(24), evidence=some_evidence())
    approved = replace(a_rollout(), cleared=1)

    assert isinstance(decision, Pause)
    assert decision.why is PausedFor.APPROVAL
    assert isinstance(decide(approved, plan, [], at(24), evidence=some_evidence()), Advance)


def test_patience_starts_anew_when_a_person_resumes() -> None:
    resumed = a_rollout(since=at(96))

    assert isinstance(decide(resumed, PLAN, [NO_DATA], at(97), evidence=some_evidence(97)), Hold)


def test_a_release_with_a_start_waits_for_it() -> None:
    plan = parse_plan(to="5,100", start=at(5).isoformat())
    scheduled = a_rollout(State.SCHEDULED)

    assert isinstance(decide(scheduled, plan, [], at(4)), Hold)
    assert isinstance(decide(scheduled, plan, [], at(5)), Advance)


def test_the_way_back_ends_when_nobody_has_the_candidate_any_more() -> None:
    assert isinstance(decide(BACK, PLAN, [], at(1), evidence=Evidence(holders=3)), Hold)
    assert isinstance(decide(BACK, PLAN, [], at(1), evidence=Evidence(holders=0)), Complete)


def test_a_person_may_advance_before_the_bake_is_over() -> None:
    assert next_step(a_rollout(), PLAN, [NO_DATA], reason="Mia") == Advance(stage=1, reason="Mia")
    assert next_step(LAST, PLAN, [PASS], reason="Mia") == Complete(reason="Mia")


def test_a_person_advances_past_neither_a_breach_nor_an_approval_nor_a_pause() -> None:
    plan = parse_plan(to="5,25,100", approve="25")

    with pytest.raises(ConflictError, match="breached"):
        next_step(a_rollout(), PLAN, [FAIL], reason="Mia")
    with pytest.raises(NotAllowedError, match="25 % needs an approval"):
        next_step(a_rollout(), plan, [PASS], reason="Mia")
    with pytest.raises(ConflictError, match="paused"):
        next_step(WAITING, PLAN, [PASS], reason="Mia")


VERDICTS = st.sampled_from(Verdict)


@given(
    state=st.sampled_from(State), stage=st.integers(0, 2), verdict=VERDICTS, hours=st.integers(0, 500),
    installs=st.integers(0, 50), age=st.integers(0, 48),
)  # fmt: skip
def test_whatever_is_found_the_decision_is_possible_and_data_comes_before_advance(
    state: State, stage: int, verdict: Verdict, hours: int, installs: int, age: int
) -> None:
    rollout = a_rollout(state, stage=stage, paused_for=PausedFor.MANUAL if state is State.PAUSED else None)
    seen = Evidence(baseline_installs=installs, candidate_installs=installs, newest=at(hours) - timedelta(hours=age))

    decision = decide(rollout, PLAN, [a_finding(verdict)], at(hours), evidence=seen)

    apply(rollout, decision, at(hours))
    if state is State.PROGRESSING and isinstance(decision, Advance | Complete):
        assert verdict is Verdict.PASS
        assert hours >= 24
        assert installs
        assert age <= 7
    if verdict is Verdict.FAIL and state in (State.PROGRESSING, State.PAUSED, State.HALTED):
        assert isinstance(decision, RollBack)


FROZEN = Frozen(freeze=parse_freeze("Mon 08:00 – Wed 18:00 UTC"), at=at(48), until=at(57))
UNEQUAL = some_evidence(unequal="The arms do not have the sizes they should.")


def test_a_stage_that_is_due_in_a_freeze_waits_and_goes_on_by_itself() -> None:
    pause = decide(a_rollout(), PLAN, [PASS], at(24), evidence=some_evidence(), frozen=FROZEN)
    assert isinstance(pause, Pause)
    assert (pause.why, pause.reason) == (
        PausedFor.FREEZE,
        "frozen until Wed 18 Nov 18:00 UTC (Mon 08:00 – Wed 18:00 UTC)",
    )
    paused = apply(a_rollout(), pause, at(24))

    assert isinstance(decide(paused, PLAN, [PASS], at(56), frozen=FROZEN), Hold)
    assert isinstance(decide(paused, PLAN, [FAIL], at(56), frozen=FROZEN), RollBack)
    thawed = decide(paused, PLAN, [PASS], at(57))
    assert isinstance(thawed, Resume)
    running = apply(paused, thawed, at(57))
    assert isinstance(decide(running, PLAN, [PASS], at(57), evidence=some_evidence(57)), Advance)


def test_nothing_starts_in_a_freeze_and_nobody_advances_by_hand() -> None:
    assert isinstance(decide(a_rollout(State.SCHEDULED), PLAN, [], at(1), frozen=FROZEN), Hold)
    with pytest.raises(ConflictError, match="Nothing widens now: frozen until Wed 18 Nov 18:00 UTC"):
        next_step(a_rollout(), PLAN, [PASS], reason="Mia", frozen=FROZEN)


def test_a_freeze_keeps_nothing_from_being_completed() -> None:
    assert isinstance(decide(LAST, PLAN, [PASS], at(24), evidence=some_evidence(), frozen=FROZEN), Complete)


def test_arms_of_unequal_size_pause_a_release_until_a_person_goes_on() -> None:
    pause = decide(a_rollout(), PLAN, [PASS], at(1), evidence=UNEQUAL)
    assert isinstance(pause, Pause)
    assert pause.why is PausedFor.SRM

    paused = apply(a_rollout(), pause, at(1))
    assert isinstance(decide(paused, PLAN, [PASS], at(2), evidence=UNEQUAL), Hold)
    resumed = apply(paused, Resume(reason="known: the old app sends no arm"), at(3))

    assert resumed.unequal == 0
    assert isinstance(decide(resumed, PLAN, [PASS], at(4), evidence=UNEQUAL), Hold)
    assert isinstance(decide(replace(resumed, stage=1), PLAN, [PASS], at(4), evidence=UNEQUAL), Pause)
    assert isinstance(decide(resumed, PLAN, [FAIL], at(4), evidence=UNEQUAL), RollBack)
