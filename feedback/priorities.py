"""Priorities: themes and regressions in one list, by how many people they reach and how bad it is for them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from feedback.telemetry import LOWER_IS_WORSE

if TYPE_CHECKING:  # their libraries are heavy, and a page that shows priorities needs none
    from feedback.regressions import Regression
    from feedback.themes import Theme

# How bad one harm is for the person it happens to, against a crash.
SEVERITY: Final = {
    "crash_rate": 1.0, "timeout_rate": 0.6, "invalid_rate": 0.5, "csat": 0.5, "latency_p95": 0.3, "fallback_rate": 0.2,
}  # fmt: skip
THEME_SEVERITY: Final = 0.5
UNRATED: Final = 0.5
RISING: Final = 1.25
SCALE: Final = 4.0

Trend = Literal["new", "rising", "steady", "falling", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """One line of the list. `weight` is reach * severity, in people for whom it is as bad as a crash.

    `reach` is the people concerned; `severity` (0..1) how bad it is for the average one of them.
    """

    kind: Literal["regression", "theme"]
    title: str
    reach: int
    severity: float
    trend: Trend
    release: str | None = None
    ticket: str | None = None
    command: str | None = None

    @property
    def weight(self) -> float:
        return self.reach * self.severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Worse:
    """A regression with what is known of it elsewhere: its release, its ticket, how many installs are concerned.

    `exposed` are the installs of the cohort that have the bad version now; by default those of the candidate's arm.
    """

    regression: Regression
    release: str | None = None
    ticket: str | None = None
    exposed: int | None = None
    is_new: bool = False
    trend: Trend = "unknown"


def rank(
    regressions: Sequence[Worse], themes: Sequence[Theme], *, tickets: Sequence[tuple[str, str]] = ()
) -> tuple[Priority, ...]:
    """Return what to look at, the heaviest first; `tickets` are (theme's name, key of its ticket)."""
    keys = dict(tickets)
    found = [*(_of_regression(each) for each in regressions), *(_of_theme(each, keys) for each in themes)]
    told = [priority for priority in found if priority.weight > 0]
    return tuple(sorted(told, key=lambda priority: (-priority.weight, priority.kind, priority.title)))


def _of_regression(worse: Worse) -> Priority:
    regression = worse.regression
    effect = abs(regression.effect) / (SCALE if regression.metric in LOWER_IS_WORSE else 1.0)
    severity = min(1.0, effect) * SEVERITY.get(regression.metric, THEME_SEVERITY)
    where = regression.cohort or "everyone"
    return Priority(
        kind="regression",
        title=f"{regression.metric} is worse for {where}",
        reach=worse.exposed if worse.exposed is not None else regression.installs_candidate,
        severity=severity,
        trend="new" if worse.is_new else worse.trend,
        release=worse.release,
        ticket=worse.ticket,
        command=None if worse.release is None else f"release status {worse.release}",
    )


def _of_theme(theme: Theme, keys: dict[str, str]) -> Priority:
    low = theme.low.value if theme.low is not None else UNRATED
    return Priority(
        kind="theme",
        title=theme.name,
        reach=theme.people,
        severity=low * THEME_SEVERITY,
        trend=_trend(theme),
        release=theme.by_release[0][0] if len(theme.by_release) == 1 else None,
        ticket=keys.get(theme.name),
    )


def _trend(theme: Theme) -> Trend:
    if theme.is_new:
        return "new"
    if theme.change is None:
        return "unknown"
    if theme.change >= RISING:
        return "rising"
    return "falling" if theme.change <= 1 / RISING else "steady"
