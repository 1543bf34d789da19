"""The states of a rollout and the acts that lead from one to another, as one table.

What the minute tick decides and what people click goes through the same `apply`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from core.device import DeviceContext
from core.errors import ConflictError, NotAllowedError
from core.segments import EVERYONE, Segment, matches
from core.segments import text as segment_text
from releases.acts import (
    WORDS,
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
    Submit,
    Supersede,
    Undo,
)

__all__ = [
    "COHORT_STATES",
    "LIVE",
    "TABLE",
    "WATCHED",
    "Act",
    "Advance",
    "Approve",
    "Cancel",
    "CohortStop",
    "Complete",
    "Decision",
    "Halt",
    "Hold",
    "Kill",
    "Pause",
    "PausedFor",
    "Reject",
    "Resume",
    "RollBack",
    "Rollout",
    "State",
    "Submit",
    "Supersede",
    "Undo",
    "apply",
    "approval_subject",
    "draft",
]  # fmt: skip


class State(StrEnum):
    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    PROGRESSING = "progressing"
    PAUSED = "paused"
    HALTED = "halted"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    COMPLETED = "completed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


LIVE: Final = frozenset({State.PROGRESSING, State.PAUSED, State.HALTED, State.ROLLING_BACK})
"""States that take the model's slot: one release of a model at a time."""
WATCHED: Final = LIVE | {State.SCHEDULED, State.COMPLETED}
"""States that the tick looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortStop:
    """A cohort that gets the candidate no more while the others do. `returns`: its holders return to the baseline."""

    segment: Segment
    since: datetime
    reason: str
    returns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """`stage` counts from 0. `since`: in this state since; `stage_since`: at this share since.

    `cleared`: the highest stage that people allowed to begin. `reason` is why it is in this state, a sentence.
    `stopped`: cohorts that are halted or rolled back alone. `unequal`: the stage at which a person went on although
    the arms are unequal in size or the candidate lost installs.
    """

    release_id: str
    state: State
    stage: int
    since: datetime
    stage_since: datetime
    revision: int = 1
    reason: str | None = None
    paused_for: PausedFor | None = None
    cleared: int = 0
    stopped: tuple[CohortStop, ...] = ()
    unequal: int | None = None

    def stop_of(self, device: DeviceContext) -> CohortStop | None:
        """Return what stops the device's cohort, a roll back before a halt."""
        found = [stop for stop in self.stopped if matches(stop.segment, device)]
        return next((stop for stop in found if stop.returns), found[0] if found else None)


_S = State
TABLE: Final[Mapping[tuple[State, type[Act]], State]] = MappingProxyType(
    {
        (_S.DRAFT, Submit): _S.AWAITING_APPROVAL,
        (_S.DRAFT, Cancel): _S.CANCELLED,
        (_S.AWAITING_APPROVAL, Approve): _S.SCHEDULED,
        (_S.AWAITING_APPROVAL, Reject): _S.REJECTED,
        (_S.AWAITING_APPROVAL, Cancel): _S.CANCELLED,
        (_S.SCHEDULED, Advance): _S.PROGRESSING,
        (_S.SCHEDULED, Cancel): _S.CANCELLED,
        (_S.PROGRESSING, Advance): _S.PROGRESSING,
        (_S.PROGRESSING, Pause): _S.PAUSED,
        (_S.PROGRESSING, Halt): _S.HALTED,
        (_S.PROGRESSING, RollBack): _S.ROLLING_BACK,
        (_S.PROGRESSING, Kill): _S.ROLLING_BACK,
        (_S.PROGRESSING, Complete): _S.COMPLETED,
        (_S.PAUSED, Approve): _S.PROGRESSING,
        (_S.PAUSED, Resume): _S.PROGRESSING,
        (_S.PAUSED, Halt): _S.HALTED,
        (_S.PAUSED, RollBack): _S.ROLLING_BACK,
        (_S.PAUSED, Kill): _S.ROLLING_BACK,
        (_S.HALTED, Approve): _S.PROGRESSING,
        (_S.HALTED, RollBack): _S.ROLLING_BACK,
        (_S.HALTED, Kill): _S.ROLLING_BACK,
        (_S.ROLLING_BACK, Kill): _S.ROLLING_BACK,
        (_S.ROLLING_BACK, Complete): _S.ROLLED_BACK,
        (_S.COMPLETED, Halt): _S.HALTED,
        (_S.COMPLETED, RollBack): _S.ROLLING_BACK,
        (_S.COMPLETED, Kill): _S.ROLLING_BACK,
        (_S.COMPLETED, Supersede): _S.SUPERSEDED,
    }
)
"""(state, act) → the state it leads to; what is not listed cannot be done."""
COHORT_STATES: Final = frozenset({State.PROGRESSING, State.PAUSED, State.HALTED, State.COMPLETED})
"""States in which one cohort may be halted, rolled back or resumed; none of it changes the release's state."""

UNDONE: Final = frozenset(
    {(_S.HALTED, _S.PROGRESSING), (_S.HALTED, _S.PAUSED), (_S.HALTED, _S.COMPLETED),
     (_S.SCHEDULED, _S.AWAITING_APPROVAL)}
)  # fmt: skip
"""(state, the one before it) where who led there may take it back; the shell says for how long."""


def draft(release_id: str, *, now: datetime) -> Rollout:
    return Rollout(release_id=release_id, state=State.DRAFT, stage=0, since=now, stage_since=now)


def approval_subject(rollout: Rollout, plan_hash: str) -> str | None:
    """Return what an approval would now be bound to, None when nothing waits for one.

    It changes with the plan, the files, the stage and the halt, so an approval given for an earlier one is out of date.
    """
    match rollout.state:
        case State.AWAITING_APPROVAL:
            return plan_hash
        case State.PAUSED if rollout.paused_for is PausedFor.APPROVAL:
            return f"{plan_hash}/stage/{rollout.stage + 1}"
        case State.HALTED:
            return f"{plan_hash}/halted/{rollout.revision}"
        case _:
            return None


def apply(rollout: Rollout, act: Act, now: datetime) -> Rollout:
    """Return the rollout after the act, one revision on. Hold changes nothing.

    Raises: ConflictError: the act is not possible in this state; NotAllowedError: going on after a halt, or past a
        stage that waits for a person, needs an approval first.
    """
    if isinstance(act, Hold):
        return rollout
    if isinstance(act, Undo):
        return _taken_back(rollout, act, now)
    if isinstance(act, Halt | RollBack | Resume) and act.cohort is not None:
        return _apply_to_cohort(rollout, act, act.cohort, now)
    target = TABLE.get((rollout.state, type(act)))
    if target is None:
        _refuse(rollout, act)
    assert target is not None
    after = replace(
        rollout, state=target, revision=rollout.revision + 1, reason=act.reason, paused_for=None,
        since=rollout.since if target == rollout.state else now,
    )  # fmt: skip
    match act:
        case Advance(stage=stage):
            return _advanced(rollout, after, stage, now)
        case Pause(why=why):
            return replace(after, paused_for=why)
        case Resume() if rollout.paused_for is PausedFor.APPROVAL:
            raise NotAllowedError("The next stage waits for an approval; resuming does not give it.")
        case Resume() if rollout.paused_for in (PausedFor.SRM, PausedFor.INSTALLS):
            return replace(after, unequal=rollout.stage)
        case Approve():
            return _approved(rollout, after, now)
        case Resume() | Halt() | RollBack() | Complete() | Submit() | Reject() | Cancel() | Kill() | Supersede():
            return after
        case _:
            assert_never(act)


def _advanced(before: Rollout, after: Rollout, stage: int, now: datetime) -> Rollout:
    first = before.state is State.SCHEDULED
    if stage != (0 if first else before.stage + 1):
        raise ConflictError(f"The release stands at stage {before.stage + 1}; stage {stage + 1} is not the next.")
    return replace(after, stage=stage, stage_since=now, since=now, cleared=max(before.cleared, stage))


def _approved(before: Rollout, after: Rollout, now: datetime) -> Rollout:
    if before.state is State.PAUSED:
        if before.paused_for is not PausedFor.APPROVAL:
            raise ConflictError("The release is paused, but not for an approval; resume it instead.")
        return replace(after, cleared=before.stage + 1)
    # After a halt the stage is watched for its whole bake again.
    return replace(after, stage_since=now) if before.state is State.HALTED else after


def _taken_back(rollout: Rollout, act: Undo, now: datetime) -> Rollout:
    state = State(act.state)
    if (rollout.state, state) not in UNDONE:
        _refuse(rollout, act)
    why = PausedFor(act.paused_for) if state is State.PAUSED and act.paused_for else None
    if state is State.PAUSED and why is None:
        why = PausedFor.MANUAL
    return replace(rollout, state=state, revision=rollout.revision + 1, reason=act.reason, paused_for=why, since=now)


def _apply_to_cohort(before: Rollout, act: Halt | RollBack | Resume, cohort: Segment, now: datetime) -> Rollout:
    name = segment_text(cohort)
    if before.state not in COHORT_STATES:
        raise ConflictError(f"The release is {before.state.replace('_', ' ')}; no cohort of it can {WORDS[type(act)]}.")
    if cohort == EVERYONE:
        raise ConflictError("Everyone is no cohort; leave it out to mean the whole release.")
    stop = next((stop for stop in before.stopped if stop.segment == cohort), None)
    others = tuple(other for other in before.stopped if other is not stop)
    if isinstance(act, Resume):
        if stop is None:
            raise ConflictError(f"The cohort {name} is not halted.")
        if stop.returns:
            raise NotAllowedError(f"The cohort {name} was rolled back; it is never offered this candidate again.")
        return replace(before, revision=before.revision + 1, stopped=others)
    returns = isinstance(act, RollBack)
    if stop is not None and (stop.returns or not returns):
        raise ConflictError(f"The cohort {name} is {'rolled back' if stop.returns else 'halted'} already.")
    stopped = CohortStop(segment=cohort, since=now, reason=act.reason, returns=returns)
    return replace(before, revision=before.revision + 1, stopped=(*others, stopped))


def _refuse(rollout: Rollout, act: Act) -> None:
    if rollout.state is State.HALTED and isinstance(act, Resume):
        raise NotAllowedError("A halted release goes on only after an approval.")
    state = rollout.state.replace("_", " ")
    raise ConflictError(f"The release is {state}; it cannot {WORDS[type(act)]} now.")
