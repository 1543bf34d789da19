"""Where feedback's numbers become guardrails' words: cells of both arms as measurements. Pure.

Rates count install-hours, so one bad phone does not decide. A p95 is judged as the mean of its logarithm over
install-hours, or, with a limit, as the share of install-hours in which it is over; CSAT as the satisfied share (4, 5).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.device import DeviceContext
from feedback.responses import stratum
from feedback.scores import satisfied_from
from feedback.sketches import PER_DOUBLING
from feedback.store import ArmCell
from feedback.telemetry import BATTERY, CONFIDENCE, CSAT, HARMS, LATENCY_P95
from releases.guardrails import Guardrail
from releases.leaves import Leaf
from releases.measurements import Arm, Kind, Measurement, Stratum
from releases.metrics import over_ms

NOBODY: Final = Arm(n=0, total=0)
SCALE: Final = 5
LOW_TO: Final = 2
LN_BUCKET: Final = math.log(2) / PER_DOUBLING  # how far apart two edges of a histogram are
FROM_REPORTS: Final = frozenset({CONFIDENCE, BATTERY})
"""Metrics that no cell holds; they are counted from the reports when a guardrail asks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a metric is made: from the cells of `source`, as a `kind` of number."""

    source: str
    kind: Kind
    arm: Callable[[ArmCell], Arm]


def ways(guardrails: Iterable[Guardrail]) -> dict[str, Way]:
    """Return how each metric that a guardrail is about is made."""
    found: dict[str, Way] = {}
    for guardrail in guardrails:
        limit = over_ms(guardrail.metric)
        if limit is not None:
            found[guardrail.metric] = Way(source=LATENCY_P95, kind="rate", arm=_over(limit))
        elif guardrail.metric in WAYS:
            found[guardrail.metric] = WAYS[guardrail.metric]
    return found


def measurements(cells: Iterable[ArmCell], made: Mapping[str, Way]) -> tuple[Measurement, ...]:
    """Return one measurement for each metric of `made` that the cells tell something of."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for metric, way in made.items():
        by_source[way.source].append(metric)
    arms: dict[str, dict[tuple[datetime, str], dict[str, Arm]]] = defaultdict(lambda: defaultdict(dict))
    for cell in cells:
        for metric in by_source.get(cell.metric, ()):
            arms[metric][cell.hour, cell.stratum][cell.arm] = made[metric].arm(cell)
    return tuple(
        Measurement(metric=metric, kind=made[metric].kind, strata=_strata(by_stratum))
        for metric, by_stratum in arms.items()
    )


def leaves(cells: Iterable[tuple[DeviceContext, ArmCell]], made: Mapping[str, Way]) -> list[Leaf]:
    """Return the cells of devices as leaves, of which any cohort is a sum."""
    found = []
    for device, cell in cells:
        for metric, way in made.items():
            if way.source == cell.metric:
                arm = way.arm(cell)
                found.append(Leaf(hour=cell.hour, device=device, arm=cell.arm, metric=metric, n=arm.n, total=arm.total,
                                  total_sq=arm.total_sq, kind=way.kind, stratum=stratum(device)))  # fmt: skip
    return found


def _strata(by_stratum: Mapping[tuple[datetime, str], Mapping[str, Arm]]) -> tuple[Stratum, ...]:
    return tuple(
        Stratum(hour=hour, name=name, baseline=both.get("baseline", NOBODY), candidate=both.get("candidate", NOBODY))
        for (hour, name), both in sorted(by_stratum.items())
    )


def _rate(cell: ArmCell) -> Arm:
    return Arm(n=cell.n, total=cell.total, total_sq=cell.total)


def _log_p95(cell: ArmCell) -> Arm:
    return _sums({(bucket + 0.5) * LN_BUCKET: n for bucket, n in cell.buckets.items()})


def _satisfied(cell: ArmCell) -> Arm:
    return _hits(cell, lambda rating: rating >= satisfied_from(SCALE))


def _low(cell: ArmCell) -> Arm:
    return _hits(cell, lambda rating: rating <= LOW_TO)


def _over(limit_ms: int) -> Callable[[ArmCell], Arm]:
    """Count the p95s in buckets above the one that the limit lies in; a bucket is 19 % wide."""
    last = math.floor(math.log2(limit_ms) * PER_DOUBLING)
    return lambda cell: _hits(cell, lambda bucket: bucket > last)


def _parts_of(whole: int) -> Callable[[ArmCell], Arm]:
    return lambda cell: _sums({bucket / whole: n for bucket, n in cell.buckets.items()})


def _hits(cell: ArmCell, is_hit: Callable[[int], bool]) -> Arm:
    hits = sum(n for bucket, n in cell.buckets.items() if is_hit(bucket))
    return Arm(n=sum(cell.buckets.values()), total=hits, total_sq=hits)


def _sums(counts: Mapping[float, int]) -> Arm:
    return Arm(
        n=sum(counts.values()),
        total=math.fsum(n * value for value, n in counts.items()),
        total_sq=math.fsum(n * value * value for value, n in counts.items()),
    )


WAYS: Final[Mapping[str, Way]] = {
    **{name: Way(source=name, kind="rate", arm=_rate) for name in HARMS},
    LATENCY_P95: Way(source=LATENCY_P95, kind="log_mean", arm=_log_p95),
    CSAT: Way(source=CSAT, kind="rate", arm=_satisfied),
    "low_rating_rate": Way(source=CSAT, kind="rate", arm=_low),
    CONFIDENCE: Way(source=CONFIDENCE, kind="mean", arm=_parts_of(100)),
    BATTERY: Way(source=BATTERY, kind="mean", arm=_parts_of(1000)),
}
