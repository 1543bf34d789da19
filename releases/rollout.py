"""Rollout: how far a release has got, and what to do with it now.

`decide` is what the minute tick asks, `next_step` what the advance button does; both end in `apply`. Missing data never
advances a stage, guardrails are judged in every state that waits, and nothing widens twice in one step. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never

from core.errors import ConflictError, NotAllowedError
from releases.breach import CohortBreach
from releases.freeze import Frozen
from releases.guardrails import Finding, Guardrail, Verdict, worst
from releases.measurements import Evidence
from releases.plan import Plan
from releases.states import (
    COHORT_STATES,
    Act,
    Advance,
    Approve,
    Cancel,
    Complete,
    Decision,
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
    Undo,
    apply,
    approval_subject,
)
from releases.wording import count, duration, share

__all__ = [
    "COHORT_STATES", "Act", "Advance", "Approve", "Cancel", "CohortBreach", "Complete", "Decision", "Evidence",
    "Frozen", "Halt", "Hold", "Kill", "Pause", "PausedFor", "Reject", "Resume", "RollBack", "Rollout", "State",
    "Submit", "Supersede", "Undo", "apply", "approval_subject", "decide", "next_step",
]  # fmt: skip

FRESH_WITHIN: Final = timedelta(hours=6)
NOTHING_SEEN: Final = Evidence()


def decide(
    rollout: Rollout,
    plan: Plan,
    findings: Sequence[Finding],
    now: datetime,
    *,
    evidence: Evidence = NOTHING_SEEN,
    frozen: Frozen | None = None,
    cohort: CohortBreach | None = None,
) -> Decision:
    """Return what to do now. `evidence` is what was seen since the stage began; without it nothing advances.

    A breach comes first, in every state in which installs have the candidate; that of one `cohort`, when the others
    are sound, stops that cohort only. While `frozen` nothing widens.
    """
    match rollout.state:
        case State.SCHEDULED:
            if plan.starts_at and now < plan.starts_at:
                return Hold(reason=f"starts in {duration(plan.starts_at - now)}")
            if frozen:
                return Hold(reason=frozen.sentence)
            if evidence.blocked:
                return Hold(reason=evidence.blocked)
            return Advance(stage=0, reason=f"started at {share(plan.stages[0].percent)}")
        case State.PROGRESSING:
            found = _breach(rollout, plan, findings, cohort) or _unequal(rollout, evidence)
            return found or _go_on(rollout, plan, findings, now, evidence, frozen)
        case State.PAUSED:
            return _breach(rollout, plan, findings, cohort) or _paused(rollout, frozen)
        case State.HALTED:
            return _breach(rollout, plan, findings, cohort) or Hold(reason=rollout.reason or "halted")
        case State.COMPLETED:
            watched = now < rollout.since + plan.watch
            found = _breach(rollout, plan, findings, cohort) if watched else None
            return found or Hold(reason="completed")
        case State.ROLLING_BACK:
            return _way_back(rollout, plan, now, evidence)
        case State.DRAFT | State.AWAITING_APPROVAL:
            return Hold(reason="waits for people")
        case State.ROLLED_BACK | State.SUPERSEDED | State.CANCELLED | State.REJECTED:
            return Hold(reason=f"is over: {rollout.state.replace('_', ' ')}")
        case _:
            assert_never(rollout.state)


def next_step(
    rollout: Rollout, plan: Plan, findings: Sequence[Finding], *, reason: str, frozen: Frozen | None = None
) -> Advance | Complete:
    """Return what a person's "advance" does: on without waiting to bake, but past no breach, approval or freeze.

    Raises: ConflictError: a guardrail is breached, the release does not progress, or nothing may widen now;
        NotAllowedError: the next stage needs an approval.
    """
    if rollout.state is not State.PROGRESSING:
        raise ConflictError(f"The release is {rollout.state.replace('_', ' ')}; only a progressing one advances.")
    found = worst(findings)
    if found is not None and found.verdict is Verdict.FAIL:
        raise ConflictError(f"A guardrail is breached: {found.sentence}")
    if rollout.stage + 1 >= len(plan.stages):
        return Complete(reason=reason)
    if _waits_for_person(rollout, plan):
        raise NotAllowedError(f"The stage of {share(plan.stages[rollout.stage + 1].percent)} needs an approval first.")
    if frozen:
        raise ConflictError(f"Nothing widens now: {frozen.sentence}. Halt, roll back and kill still work.")
    return Advance(stage=rollout.stage + 1, reason=reason)


def _breach(
    rollout: Rollout, plan: Plan, findings: Sequence[Finding], cohort: CohortBreach | None
) -> Pause | Halt | RollBack | None:
    """Return the strongest act of the breached guardrails, None if nothing new is to be done."""
    if cohort is not None and not plan.is_aa:
        return _stop_cohort(rollout, cohort)
    found = worst(findings)
    if found is None or found.verdict is not Verdict.FAIL:
        return None
    if plan.is_aa:
        return _pause_once(rollout, f"Both arms run the same file, so the measuring is at fault. {found.sentence}")
    return _whole(rollout, found.guardrail, found.sentence)


def _whole(rollout: Rollout, guardrail: Guardrail, sentence: str) -> Pause | Halt | RollBack | None:
    match guardrail.on_fail:
        case "rollback":
            return RollBack(reason=sentence)
        case "halt":
            return None if rollout.state is State.HALTED else Halt(reason=sentence)
        case "pause":
            return _pause_once(rollout, sentence)
        case _:
            assert_never(guardrail.on_fail)


def _pause_once(rollout: Rollout, sentence: str) -> Pause | None:
    waits = rollout.state is not State.PROGRESSING
    return None if waits else Pause(reason=sentence, why=PausedFor.GUARDRAIL)


def _stop_cohort(rollout: Rollout, breach: CohortBreach) -> Halt | RollBack | None:
    stop = next((stop for stop in rollout.stopped if stop.segment == breach.cohort), None)
    if breach.finding.guardrail.on_fail == "rollback":
        back = RollBack(reason=breach.sentence, cohort=breach.cohort)
        return None if stop is not None and stop.returns else back
    return None if stop is not None else Halt(reason=breach.sentence, cohort=breach.cohort)


def _unequal(rollout: Rollout, evidence: Evidence) -> Pause | None:
    """Pause once a stage for a sample-ratio mismatch or lost installs; a person who resumes knows of it."""
    if rollout.unequal == rollout.stage:
        return None
    if evidence.unequal is not None:
        return Pause(reason=evidence.unequal, why=PausedFor.SRM)
    return Pause(reason=evidence.lost, why=PausedFor.INSTALLS) if evidence.lost is not None else None


def _paused(rollout: Rollout, frozen: Frozen | None) -> Hold | Resume:
    if rollout.paused_for is PausedFor.FREEZE and frozen is None:
        return Resume(reason="the freeze is over")
    return Hold(reason=rollout.reason or "paused")


def _go_on(
    rollout: Rollout,
    plan: Plan,
    findings: Sequence[Finding],
    now: datetime,
    evidence: Evidence,
    frozen: Frozen | None,
) -> Hold | Pause | Advance | Complete:
    stage = plan.stages[rollout.stage]
    baked_at = rollout.stage_since + stage.bake
    if now < baked_at:
        return Hold(reason=f"baking at {share(stage.percent)}, {duration(baked_at - now)} to go")
    missing = _missing(rollout, plan, findings, now, evidence)
    if missing:
        why, sentence = missing
        waited = now - max(baked_at, rollout.since)
        return Pause(reason=sentence, why=why) if waited >= plan.patience else Hold(reason=sentence)
    if rollout.stage + 1 >= len(plan.stages):
        return Complete(reason=f"{share(stage.percent)} baked for {duration(stage.bake)}, all guardrails hold")
    following = plan.stages[rollout.stage + 1]
    if _waits_for_person(rollout, plan):
        return Pause(reason=f"{share(following.percent)} needs an approval", why=PausedFor.APPROVAL)
    if frozen:
        return Pause(reason=frozen.sentence, why=PausedFor.FREEZE)
    return Advance(
        stage=rollout.stage + 1,
        reason=f"{share(stage.percent)} baked for {duration(stage.bake)}, all guardrails hold; on to "
        f"{share(following.percent)}",
    )


def _missing(
    rollout: Rollout, plan: Plan, findings: Sequence[Finding], now: datetime, evidence: Evidence
) -> tuple[PausedFor, str] | None:
    """Return what keeps the stage from being judged good."""
    stage = plan.stages[rollout.stage]
    # Of two candidates each has a finding of its own, and both must be judged.
    open_ones = {finding.guardrail for finding in findings if finding.verdict is Verdict.NO_DATA}
    judged = {finding.guardrail for finding in findings} - open_ones
    unjudged = [guardrail.metric for guardrail in plan.guardrails if guardrail not in judged]
    if unjudged:
        return PausedFor.NO_DATA, f"too little data to judge {' and '.join(unjudged)}"
    arms = [("candidate", evidence.candidate_installs)]
    if stage.percent < 100:
        arms.append(("baseline", evidence.baseline_installs))
    for arm, installs in arms:
        if installs < max(1, stage.min_installs):
            seen = f"{count(installs)} of {count(max(1, stage.min_installs))} installs seen on the {arm}"
            return PausedFor.NO_DATA, f"{seen} at {share(stage.percent)}"
    if evidence.newest is None or now - evidence.newest > FRESH_WITHIN + timedelta(hours=1):
        return PausedFor.NO_DATA, f"no telemetry from the candidate for {duration(FRESH_WITHIN)}"
    unclear = next((finding for finding in findings if finding.verdict is Verdict.INCONCLUSIVE), None)
    if unclear:
        return PausedFor.INCONCLUSIVE, unclear.sentence
    return (PausedFor.BLOCKED, evidence.blocked) if evidence.blocked else None


def _way_back(rollout: Rollout, plan: Plan, now: datetime, evidence: Evidence) -> Hold | Complete:
    if evidence.holders == 0:
        return Complete(reason="every install seen has returned to the baseline")
    until = rollout.since + plan.way_back
    if now >= until:
        return Complete(reason=f"the deadline of {duration(plan.way_back)} for returning has passed")
    holding = f"{count(evidence.holders)} installs still have the candidate, " if evidence.holders else ""
    return Hold(reason=f"{holding}{duration(until - now)} left to return")


def _waits_for_person(rollout: Rollout, plan: Plan) -> bool:
    return plan.stages[rollout.stage + 1].needs_approval and rollout.cleared <= rollout.stage
