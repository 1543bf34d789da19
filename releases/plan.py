"""Plan: the widening steps of a release, whom it is for and what it may not worsen; with its one-line grammar.

    to=0.1,1,5,25,100 bake=24h where="platform=android" guard="latency_p95<+10% crash_rate<+0.2pt csat>-5pt"

Optional: `min=` least installs per arm, `approve=25,100` shares that need a person, `approvals=2` how many people that
are, `holdback=5` percent that keep the baseline for good, `start=` a moment, `mode=aa` the baseline against itself.
All mistakes are told at once. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from core import segments
from core.errors import InvalidInputError, Problem
from core.segments import EVERYONE, Segment
from releases import guard_text, plan_words
from releases.guardrails import LEAST_PER_ARM, Guardrail
from releases.plan_words import parse_length
from releases.wording import duration, share

__all__ = [
    "Plan", "Release", "Stage", "from_json", "parse_length", "parse_plan", "plan_hash", "read", "text", "to_json",
]  # fmt: skip

DEFAULT_TO: Final = "1,5,25,100"
DEFAULT_TO_COMPARED: Final = "5,33"
DEFAULT_BAKE: Final = "24h"
DEFAULT_GUARD: Final = "crash_rate<+0.2pt latency_p95<+10%"
MOST_APPROVALS: Final = 10
A_A: Final = "aa"
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`percent` of the eligible installs, for at least `bake`, with at least `min_installs` seen in each arm."""

    percent: float
    bake: timedelta
    min_installs: int = 1
    needs_approval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`patience`: how long past its bake a stage may lack data or clarity before it is paused for a person.
    `watch`: how long a completed release is still judged. `way_back`: how long installs have to return.
    `holdback`: percent that keep the baseline for good. `approvals`: how many people have to approve, each within
    `approve_within` of being asked. `is_aa`: the candidate is the baseline itself, so nothing may alarm."""

    stages: tuple[Stage, ...]
    segment: Segment = EVERYONE
    guardrails: tuple[Guardrail, ...] = ()
    starts_at: datetime | None = None
    patience: timedelta = timedelta(days=3)
    watch: timedelta = timedelta(days=7)
    way_back: timedelta = timedelta(days=1)
    holdback: float = 0.0
    approvals: int = 1
    approve_within: timedelta = timedelta(days=3)
    is_aa: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The decision to replace the baseline by the candidate in a segment by a plan.

    `baselines` and `candidates` are the digests of the files that may be offered; whoever approves, approves these.
    `salt` belongs to the lineage (model and candidate version) and survives a restart. `rivals` are the files of a
    second candidate that is compared with the same baseline (A/B).
    """

    id: str
    number: int
    app: str
    model: str
    baseline_version: str
    candidate_version: str
    baselines: tuple[str, ...]
    candidates: tuple[str, ...]
    salt: str
    plan: Plan
    plan_hash: str
    proposed_by: str
    reason: str | None
    created_at: datetime
    rival_version: str | None = None
    rivals: tuple[str, ...] = ()

    @property
    def holdback_salt(self) -> str:
        """The salt of the quarter in which it was proposed: all releases of a quarter hold the same installs back."""
        return f"holdback-{self.created_at.year}Q{(self.created_at.month + 2) // 3}"

    @property
    def name(self) -> str:
        """The short name: R12."""
        return f"R{self.number}"


def read(words: Mapping[str, str]) -> Plan:
    """Read a plan from the words of `/muster release start`; what is not said has a default.

    Raises: InvalidInputError: with every mistake.
    """
    to = words.get("to") or (DEFAULT_TO_COMPARED if words.get("versus") else DEFAULT_TO)
    return parse_plan(
        to=to, bake=words.get("bake"), where=words.get("where"), guard=words.get("guard"),
        min_installs=words.get("min"), approve=words.get("approve"), approvals=words.get("approvals"),
        start=words.get("start"), holdback=words.get("holdback"), mode=words.get("mode"), versus=words.get("versus"),
    )  # fmt: skip


def parse_plan(
    *,
    to: str,
    bake: str | None = None,
    where: str | None = None,
    guard: str | None = None,
    min_installs: str | None = None,
    approve: str | None = None,
    start: str | None = None,
    holdback: str | None = None,
    approvals: str | None = None,
    mode: str | None = None,
    versus: str | None = None,
) -> Plan:
    """Read a plan as people type it; None means not said. `guard="none"` goes without guardrails. `versus` names a
    second version to compare as well; what it is, the store checks.

    Raises: InvalidInputError: with every mistake.
    """
    problems: list[Problem] = []
    percents = plan_words.percents(to, problems, has_rival=bool(versus))
    bakes = plan_words.bakes(bake or DEFAULT_BAKE, len(percents), problems)
    approved = plan_words.approvals(approve, percents, problems)
    people = plan_words.whole("approvals", approvals, problems, most=MOST_APPROVALS, of="people")
    kept = plan_words.holdback(holdback, problems)
    segment = _gather("where", lambda: segments.parse(where or ""), problems) or EVERYONE
    guardrails = _gather("guard", lambda: guard_text.parse(guard or DEFAULT_GUARD), problems) or ()
    unsaid = _least(guardrails)
    least = plan_words.whole("min", min_installs, problems, most=999_999_999, of="installs", unsaid=unsaid)
    starts_at = plan_words.moment(start, problems)
    if mode not in (None, A_A):
        problems.append(Problem("mode", f"must be {A_A} (the baseline against itself), not {mode!r}"))
    if guardrails and percents == [100.0]:
        problems.append(Problem("to", "must have a stage below 100, or there is no baseline to compare with"))
    if problems:
        raise InvalidInputError(*problems)
    stages = (
        Stage(percent=percent, bake=length, min_installs=least, needs_approval=percent in approved)
        for percent, length in zip(percents, bakes, strict=True)
    )
    return Plan(stages=tuple(stages), segment=segment, guardrails=guardrails, starts_at=starts_at, holdback=kept,
                approvals=people, is_aa=mode == A_A)  # fmt: skip


def _least(guardrails: Sequence[Guardrail]) -> int:
    """Return how many installs of each arm a stage needs when nobody says: an install reports an hour after the other,
    so a handful of them soon fills a guardrail's numbers and shows hardly any harm."""
    return LEAST_PER_ARM if guardrails else 1


def too_late(plan: Plan, now: datetime) -> list[Problem]:
    """Return what is wrong with a start that is over when the release is proposed."""
    if plan.starts_at is None or plan.starts_at >= now:
        return []
    return [Problem("start", f"{plan.starts_at.isoformat()} is past; leave it out to start once it is approved")]


def plan_hash(plan: Plan, digests: Iterable[str]) -> str:
    """Return what an approval is bound to: the plan and the digests of the files, in any order."""
    facts = {"plan": to_json(plan), "digests": sorted(digests)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def text(plan: Plan) -> str:
    """Return the plan in the words `parse_plan` reads, in one line."""
    bakes = [duration(stage.bake).replace(" ", "") for stage in plan.stages]
    parts = ["to=" + ",".join(share(stage.percent).removesuffix(" %") for stage in plan.stages)]
    parts.append("bake=" + (bakes[0] if len(set(bakes)) == 1 else ",".join(bakes)))
    if plan.segment != EVERYONE:
        parts.append(f"where={_quoted(segments.text(plan.segment))}")
    parts.append(f'guard="{guard_text.text(plan.guardrails)}"')
    approved = [share(stage.percent).removesuffix(" %") for stage in plan.stages if stage.needs_approval]
    if approved:
        parts.append("approve=" + ",".join(approved))
    if plan.stages[0].min_installs != _least(plan.guardrails):
        parts.append(f"min={plan.stages[0].min_installs}")
    if plan.approvals > 1:
        parts.append(f"approvals={plan.approvals}")
    if plan.holdback:
        parts.append("holdback=" + share(plan.holdback).removesuffix(" %"))
    if plan.starts_at:
        parts.append(f"start={plan.starts_at.isoformat()}")
    if plan.is_aa:
        parts.append(f"mode={A_A}")
    return " ".join(parts)


def to_json(plan: Plan) -> dict[str, Any]:
    return {
        "stages": [
            {"percent": stage.percent, "bake_s": stage.bake.total_seconds(), "min_installs": stage.min_installs,
             "needs_approval": stage.needs_approval} for stage in plan.stages
        ],
        "segment": segments.to_json(plan.segment),
        "guardrails": [
            {"metric": rail.metric, "margin": rail.margin, "relative": rail.relative, "on_fail": rail.on_fail}
            for rail in plan.guardrails
        ],
        "starts_at": plan.starts_at.isoformat() if plan.starts_at else None,
        "patience_s": plan.patience.total_seconds(),
        "watch_s": plan.watch.total_seconds(),
        "way_back_s": plan.way_back.total_seconds(),
        "holdback": plan.holdback,
        "approvals": plan.approvals,
        "approve_within_s": plan.approve_within.total_seconds(),
        "is_aa": plan.is_aa,
    }  # fmt: skip


def from_json(facts: Mapping[str, Any]) -> Plan:
    """Read what `to_json` wrote."""
    return Plan(
        stages=tuple(
            Stage(percent=stage["percent"], bake=timedelta(seconds=stage["bake_s"]),
                  min_installs=stage["min_installs"], needs_approval=stage["needs_approval"])
            for stage in facts["stages"]
        ),
        segment=segments.from_json(facts["segment"]),
        guardrails=tuple(Guardrail(**rail) for rail in facts["guardrails"]),
        starts_at=datetime.fromisoformat(facts["starts_at"]) if facts["starts_at"] else None,
        patience=timedelta(seconds=facts["patience_s"]),
        watch=timedelta(seconds=facts["watch_s"]),
        way_back=timedelta(seconds=facts["way_back_s"]),
        holdback=facts.get("holdback", 0.0),
        approvals=facts.get("approvals", 1),
        approve_within=timedelta(seconds=facts.get("approve_within_s", 3 * 86400)),
        is_aa=facts.get("is_aa", False),
    )  # fmt: skip


def _gather(path: str, read: Callable[[], _Read], problems: list[Problem]) -> _Read | None:
    try:
        return read()
    except InvalidInputError as error:
        problems += [Problem(path, str(each)) for each in error.problems]
        return None


def _quoted(rule: str) -> str:
    return f"'{rule}'" if '"' in rule else f'"{rule}"'
