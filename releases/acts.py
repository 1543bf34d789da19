"""Acts: what the minute tick decides and what people do to a release; each says why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from core import segments
from core.segments import Segment


class PausedFor(StrEnum):
    MANUAL = "manual"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    APPROVAL = "approval"
    GUARDRAIL = "guardrail"
    SRM = "srm"
    FREEZE = "freeze"
    INSTALLS = "installs"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Start (from scheduled) or widen to `stage`."""

    stage: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    reason: str
    why: PausedFor = PausedFor.MANUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """No further install gets the candidate: none at all, or none of `cohort`."""

    reason: str
    cohort: Segment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Holders return to the baseline: all of them, or those of `cohort`."""

    reason: str
    cohort: Segment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """The last stage was passed; or, while rolling back, the way back is done."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    reason: str = "proposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Enough people approved: the start, the stage that waits for a person, or going on after a halt."""

    reason: str = "approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Go on after a pause; or, with a `cohort`, let that halted cohort be offered the candidate again."""

    reason: str
    cohort: Segment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Roll back now, past every gate."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersede:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Take back a halt or an approval, back to the `state` before it."""

    reason: str
    state: str
    paused_for: str | None = None


Decision: TypeAlias = Hold | Advance | Pause | Resume | Halt | RollBack | Complete
Act: TypeAlias = Decision | Submit | Approve | Reject | Cancel | Kill | Supersede | Undo

WORDS: Final[Mapping[type[Act], str]] = MappingProxyType(
    {
        Advance: "be advanced", Pause: "be paused", Halt: "be halted", RollBack: "be rolled back", Kill: "be killed",
        Complete: "be completed", Submit: "be submitted", Approve: "be approved", Reject: "be rejected",
        Resume: "be resumed", Cancel: "be cancelled", Supersede: "be superseded",
        Undo: "be taken back",
    }
)  # fmt: skip


def facts_of(act: Act) -> dict[str, object]:
    """Return what the history and the audit log keep of an act besides its reason."""
    match act:
        case Advance(stage=stage):
            return {"stage": stage}
        case Pause(why=why):
            return {"paused_for": str(why)}
        case Halt(cohort=cohort) | RollBack(cohort=cohort) | Resume(cohort=cohort) if cohort is not None:
            return {"cohort": segments.text(cohort)}
        case _:
            return {}
