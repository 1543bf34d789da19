"""Throttles: how often a cohort may use a model, and whether it runs on the device at all. Pure.

A throttle is sent with the offer: at most so many inferences a minute, or none on the device (the app asks its cloud
instead, or runs the model it was built with). Where several fit a device the strictest of each holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from core import segments
from core.device import DeviceContext
from core.errors import InvalidInputError, Problem
from core.segments import EVERYONE, Segment, matches

Runs = Literal["device", "cloud", "bundled"]
STRICTNESS: Final[tuple[Runs, ...]] = get_args(Runs)
MOST_PER_MINUTE: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """`per_minute` None is as often as it likes; 0 is never. `name` is T1."""

    segment: Segment = EVERYONE
    per_minute: int | None = None
    runs: Runs = "device"
    name: str | None = None
    reason: str | None = None


UNLIMITED: Final = Throttle()


def read(segment: Segment, *, per_minute: str | None, runs: str | None, reason: str | None) -> Throttle:
    """Read a throttle as people type it.

    Raises: InvalidInputError: with every mistake.
    """
    problems = []
    number = per_minute.strip() if per_minute else ""
    if number and not (number.isascii() and number.isdigit() and int(number[:9]) <= MOST_PER_MINUTE):
        problems.append(Problem("per_minute", f"must be a whole number from 0 to {MOST_PER_MINUTE}, not {number!r}"))
    where = next((word for word in STRICTNESS if word == (runs or "device")), None)
    if where is None:
        problems.append(Problem("runs", f"must be {', '.join(STRICTNESS[:-1])} or {STRICTNESS[-1]}, not {runs!r}"))
    if not number and where == "device":
        problems.append(Problem("throttle", "must say per_minute=, runs=cloud or runs=bundled"))
    if problems or where is None:
        raise InvalidInputError(*problems)
    return Throttle(segment=segment, per_minute=int(number) if number else None, runs=where, reason=reason)


def for_device(throttles: Iterable[Throttle], device: DeviceContext) -> Throttle:
    """Return what holds for a device: the lowest rate and the strictest place of all that fit it."""
    fitting = [throttle for throttle in throttles if matches(throttle.segment, device)]
    if not fitting:
        return UNLIMITED
    rates = [throttle.per_minute for throttle in fitting if throttle.per_minute is not None]
    strictest = max(fitting, key=lambda throttle: STRICTNESS.index(throttle.runs))
    names = ", ".join(throttle.name for throttle in fitting if throttle.name)
    return Throttle(segment=strictest.segment, per_minute=min(rates, default=None), runs=strictest.runs,
                    name=names or None, reason=strictest.reason)  # fmt: skip


def for_segment(throttle: Throttle, segment: Segment) -> Throttle:
    return replace(throttle, segment=segment)


def facts_of(model: str, throttle: Throttle) -> dict[str, object]:
    """Return what the audit log keeps of a throttle: enough to set it again."""
    where = None if throttle.segment == EVERYONE else segments.text(throttle.segment)
    return {"model": model, "per_minute": throttle.per_minute, "runs": throttle.runs, "where": where,
            "reason": throttle.reason}  # fmt: skip
