"""Staleness: how far a model can still be trusted: its certainty, its age and that of its data. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from feedback.scores import Z95


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """What a model says of its own certainty against how often corrections found it right.

    `gap` is mean confidence minus accuracy with its 95 % interval: above 0 it is too sure of itself. `error` is the
    expected calibration error over ten bins (Naeini et al. 2015), which also sees gaps that cancel.
    """

    n: int
    confidence: float
    accuracy: float
    gap: float
    low: float
    high: float
    error: float

    @property
    def is_off(self) -> bool:
        """Whether the interval of the gap leaves out 0."""
        return self.low > 0 or self.high < 0


def reliability(answers: Sequence[tuple[float, bool]]) -> Reliability | None:
    """Return the reliability of (confidence in 0..1, was right) of inferences people corrected or confirmed."""
    n = len(answers)
    if n < 2:
        return None
    gaps = [confidence - right for confidence, right in answers]
    gap = sum(gaps) / n
    half = Z95 * math.sqrt(sum((each - gap) ** 2 for each in gaps) / (n - 1) / n)
    bins: dict[int, list[float]] = defaultdict(list)
    for confidence, right in answers:
        bins[min(9, int(10 * confidence))].append(confidence - right)
    return Reliability(
        n=n,
        confidence=sum(confidence for confidence, _ in answers) / n,
        accuracy=sum(right for _, right in answers) / n,
        gap=gap,
        low=gap - half,
        high=gap + half,
        error=sum(abs(sum(each)) for each in bins.values()) / n,
    )


class Moved(Protocol):
    """A drift, by what moved."""

    @property
    def measure(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """How old a model and its data are, in days, and why that is too old: `reasons` is empty while all is well."""

    model_days: int
    data_days: int | None
    reasons: tuple[str, ...]


def staleness(
    *,
    today: date,
    released: date,
    data_until: date | None = None,
    goal_days: int | None = None,
    data_goal_days: int | None = None,
    drifts: Sequence[Moved] = (),
) -> Staleness:
    """Return how stale a model is against its goals; `drifts` are those found since its release."""
    model_days = (today - released).days
    data_days = None if data_until is None else (today - data_until).days
    reasons = []
    if goal_days is not None and model_days > goal_days:
        reasons.append(f"released {model_days} days ago, the goal is {goal_days}")
    if data_goal_days is not None and data_days is not None and data_days > data_goal_days:
        reasons.append(f"its newest data are {data_days} days old, the goal is {data_goal_days}")
    measures = sorted({drift.measure for drift in drifts})
    if measures:
        reasons.append(f"{', '.join(measures)} drifted since its release")
    return Staleness(model_days=model_days, data_days=data_days, reasons=tuple(reasons))
