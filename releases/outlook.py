"""Outlook: what a guardrail cannot see yet, and by when it would at the present rate. Pure.

A low count is no good news. Beside each finding stands the smallest regression that so many installs would show (four
times out of five), and when one of twice the margin would be seen if phones go on as they do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from releases import power
from releases.guardrails import ALPHA, LEAST_PER_ARM, Finding, Guardrail, Verdict
from releases.measurements import Arm, Kind, Measurement
from releases.wording import count, moment, percent, points, signed

HOUR: Final = timedelta(hours=1)
FARTHEST: Final = timedelta(days=365)
MOST: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What the baseline usually does: a rate, or a mean with its standard deviation. `per_day`: how often an install
    reports it in a day; a mean counts once for an install, however often that is."""

    kind: Kind
    value: float
    spread: float = 0.0
    per_day: float = 1.0

    @property
    def shown(self) -> float:
        return math.exp(self.value) if self.kind == "log_mean" else self.value


def smallest(guardrail: Guardrail, usual: Usual, n: float, *, alpha: float = ALPHA) -> float | None:
    """Return the smallest regression that `n` in each arm would show, in the unit of the margin; None if none would."""
    if usual.kind == "rate":
        base = usual.value if guardrail.better == "lower" else 1 - usual.value
        rate = power.smallest_rate(base, n, allowed=guardrail.allowed_ratio(base), alpha=alpha) if base > 0 else None
        if rate is None:
            return None
        return (rate - base) / usual.value if guardrail.relative else rate - base
    worse = guardrail.allowed_gap(usual.kind, usual.value)
    gap = power.smallest_gap(usual.spread, n, allowed=worse, alpha=alpha)
    if gap is None or usual.kind == "mean":
        return gap / abs(usual.value) if gap is not None and guardrail.relative and usual.value else gap
    return math.expm1(gap)


def with_outlook(
    findings: Sequence[Finding], measurements: Sequence[Measurement], *, alpha: float = ALPHA
) -> tuple[Finding, ...]:
    """Return the findings, each with what it cannot see yet (`unseen`)."""
    by_metric = {measurement.metric: measurement for measurement in measurements}
    return tuple(
        replace(found, unseen=_unseen(found, by_metric.get(found.guardrail.metric), alpha / len(findings)))
        for found in findings
    )


def _unseen(found: Finding, measurement: Measurement | None, alpha: float) -> str | None:
    if found.verdict is Verdict.FAIL:
        return None
    if measurement is None or not any(stratum.pairs for stratum in measurement.strata):
        return "Nothing can be seen yet: no hour has telemetry of both arms."
    baseline, candidate = measurement.arm("baseline"), measurement.arm("candidate")
    n, newest = min(baseline.n, candidate.n), max(stratum.hour for stratum in measurement.strata) + HOUR
    per_hour = n / ((newest - min(stratum.hour for stratum in measurement.strata)) / HOUR)
    if n < LEAST_PER_ARM:
        when = _by(newest, (LEAST_PER_ARM - n) / per_hour if per_hour else math.inf)
        return f"Nothing can be seen before there are {LEAST_PER_ARM} of each; at the present rate that is {when}."
    return _smallest_so_far(found.guardrail, _usual(measurement, baseline), n, per_hour, newest, alpha)


def _smallest_so_far(
    guardrail: Guardrail, usual: Usual, n: float, per_hour: float, newest: datetime, alpha: float
) -> str | None:
    wanted = 2 * guardrail.margin
    seen = smallest(guardrail, usual, n, alpha=alpha)
    if seen is not None and seen <= wanted:
        return None
    enough = power.needed(lambda many: smallest(guardrail, usual, many, alpha=alpha), effect=wanted, most=MOST)
    when = _by(newest, (enough - n) / per_hour if enough is not None else math.inf)
    now = f"only {_worse(guardrail, seen)} or more would be seen" if seen is not None else "no regression would be seen"
    return f"With {count(round(n))} of each {now}; {_worse(guardrail, wanted)} {when} at the present rate."


def _by(newest: datetime, hours: float) -> str:
    if hours > FARTHEST / HOUR:
        return "not within a year"
    return f"by {moment(newest + timedelta(hours=math.ceil(hours)), newest)}"


def _worse(guardrail: Guardrail, size: float) -> str:
    return signed((percent if guardrail.relative else points)(size), 1 if guardrail.better == "lower" else -1)


def _usual(measurement: Measurement, baseline: Arm) -> Usual:
    if measurement.kind == "rate":
        return Usual(kind="rate", value=(baseline.total + 0.5) / (baseline.n + 1))
    mean = baseline.total / baseline.n
    return Usual(kind=measurement.kind, value=mean,
                 spread=math.sqrt(max(0.0, baseline.total_sq / baseline.n - mean * mean)))  # fmt: skip
