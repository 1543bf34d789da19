"""Plan: the widening steps of a release, whom it is for and what it may not worsen; with its one-line grammar.

    to=0.1,1,5,25,100 bake=24h where="platform=android" guard="latency_p95<+10% crash_rate<+0.2pt csat>-5pt"

Optional: `min=` least installs per arm, `approve=25,100` shares that need a person, `start=` a moment. All mistakes
are told at once. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from core import segments
from core.errors import InvalidInputError, Problem
from core.segments import EVERYONE, Segment
from releases import guard_text
from releases.guardrails import Guardrail
from releases.wording import duration, share

LEAST_PERCENT: Final = 0.0001
DEFAULT_BAKE: Final = "24h"
DEFAULT_GUARD: Final = "crash_rate<+0.2pt latency_p95<+10%"
LONGEST_BAKE: Final = timedelta(days=90)
_UNITS: Final = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH: Final = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d|w)")
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
    `watch`: how long a completed release is still judged. `way_back`: how long installs have to return."""

    stages: tuple[Stage, ...]
    segment: Segment = EVERYONE
    guardrails: tuple[Guardrail, ...] = ()
    starts_at: datetime | None = None
    patience: timedelta = timedelta(days=3)
    watch: timedelta = timedelta(days=7)
    way_back: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The decision to replace the baseline by the candidate in a segment by a plan.

    `baselines` and `candidates` are the digests of the files that may be offered; whoever approves, approves these.
    `salt` belongs to the lineage (model and candidate version) and survives a restart.
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

    @property
    def name(self) -> str:
        """The short name: R12."""
        return f"R{self.number}"


def parse_plan(
    *,
    to: str,
    bake: str | None = None,
    where: str | None = None,
    guard: str | None = None,
    min_installs: str | None = None,
    approve: str | None = None,
    start: str | None = None,
) -> Plan:
    """Read a plan as people type it; None means not said. `guard="none"` goes without guardrails.

    Raises: InvalidInputError: with every mistake.
    """
    problems: list[Problem] = []
    percents = _percents(to, problems)
    bakes = _bakes(bake or DEFAULT_BAKE, len(percents), problems)
    approved = _approvals(approve, percents, problems)
    least = _least(min_installs, problems)
    segment = _gather("where", lambda: segments.parse(where or ""), problems) or EVERYONE
    guardrails = _gather("guard", lambda: guard_text.parse(guard or DEFAULT_GUARD), problems) or ()
    starts_at = _moment(start, problems)
    if guardrails and percents == [100.0]:
        problems.append(Problem("to", "must have a stage below 100, or there is no baseline to compare with"))
    if problems:
        raise InvalidInputError(*problems)
    stages = (
        Stage(percent=percent, bake=length, min_installs=least, needs_approval=percent in approved)
        for percent, length in zip(percents, bakes, strict=True)
    )
    return Plan(stages=tuple(stages), segment=segment, guardrails=guardrails, starts_at=starts_at)


def parse_length(text: str) -> timedelta | None:
    """Return "24h", "90min", "1d12h" as a length of time, None if it is not one."""
    text = text.strip().lower()
    if not text or _LENGTH.sub("", text):
        return None
    total = timedelta()
    for number, unit in _LENGTH.findall(text):
        if len(number) > 9:
            return None
        total += timedelta(**{_UNITS[unit]: float(number)})
    return total


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
    if plan.stages[0].min_installs > 1:
        parts.append(f"min={plan.stages[0].min_installs}")
    if plan.starts_at:
        parts.append(f"start={plan.starts_at.isoformat()}")
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
    )  # fmt: skip


def _percents(text: str, problems: list[Problem]) -> list[float]:
    """Return the shares, one for each that was typed, mistaken or not."""
    found: list[float] = []
    for i, word in enumerate(text.split(",")):
        path, before = f"stages[{i}].percent", max(found, default=0.0)
        percent = _number(word.strip().removesuffix("%"))
        if percent is None or not LEAST_PERCENT <= percent <= 100:
            problems.append(Problem(path, f"must be a percentage from 0.0001 to 100, not {word.strip()!r}"))
        elif percent <= before:
            problems.append(Problem(path, f"must be above {before:g}, the stage before"))
        found.append(percent if percent is not None else before)
    if max(found) < 100:
        problems.append(Problem("to", "must end at 100; pause or halt keeps a release at a smaller share"))
    return found


def _bakes(text: str, stages: int, problems: list[Problem]) -> list[timedelta]:
    words = text.split(",")
    lengths = [parse_length(word) for word in words]
    for i, (word, length) in enumerate(zip(words, lengths, strict=True)):
        path = f"stages[{i}].bake" if len(words) > 1 else "bake"
        if length is None:
            problems.append(Problem(path, f"must be a length of time such as 30min, 24h or 2d, not {word.strip()!r}"))
        elif not timedelta() < length <= LONGEST_BAKE:
            problems.append(Problem(path, "must be above 0 and at most 90d"))
    if len(words) not in (1, stages):
        problems.append(Problem("bake", f"must be one length or one for each of the {stages} stages, not {len(words)}"))
    known = [length or timedelta() for length in lengths]
    return (known * stages)[:stages] if len(known) == 1 else (known + [timedelta()] * stages)[:stages]


def _approvals(text: str | None, percents: list[float], problems: list[Problem]) -> set[float]:
    asked: set[float] = set()
    for word in (text or "").split(",") if text else ():
        percent = _number(word.strip().removesuffix("%"))
        if percent is None or percent not in percents:
            problems.append(Problem("approve", f"must name shares of `to`, not {word.strip()!r}"))
        else:
            asked.add(percent)
    return asked


def _least(text: str | None, problems: list[Problem]) -> int:
    if text is None:
        return 1
    if not re.fullmatch(r"[1-9]\d{0,8}", text.strip()):
        problems.append(Problem("min", f"must be a whole number of installs from 1, not {text!r}"))
        return 1
    return int(text)


def _moment(text: str | None, problems: list[Problem]) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        problems.append(Problem("start", f"must be a moment such as 2026-11-23T09:00+01:00, not {text!r}"))
        return None
    if moment.tzinfo is None:
        problems.append(Problem("start", "must say its time zone, such as 2026-11-23T09:00+01:00 or …Z"))
        return None
    return moment.astimezone(UTC)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,3}(\.\d{1,9})?|\.\d{1,9}", text) else None


def _gather(path: str, read: Callable[[], _Read], problems: list[Problem]) -> _Read | None:
    try:
        return read()
    except InvalidInputError as error:
        problems += [Problem(f"{path}.{each.path}" if each.path else path, each.message) for each in error.problems]
        return None


def _quoted(rule: str) -> str:
    return f"'{rule}'" if '"' in rule else f'"{rule}"'
