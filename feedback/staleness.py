"""Staleness: how far a model can still be trusted by its age and that of its data. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol


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
