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

import numpy as np

from core.arms import ARMS
from feedback.responses import stratum
from feedback.scores import satisfied_from
from feedback.sketches import PER_DOUBLING
from feedback.store import ArmCell, LeafCounts
from feedback.telemetry import BATTERY, CONFIDENCE, CSAT, HARMS, LATENCY_P95
from releases.guardrails import Guardrail
from releases.leaves import Numbers, Table
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
    """How a metric is made: each install-hour (or rating) of `source` counts as the `value` of its bucket."""

    source: str
    kind: Kind
    value: Callable[[int], float]

    def arm(self, cell: ArmCell) -> Arm:
        counts = cell.buckets or {0: cell.n - cell.total, 1: cell.total}
        values = [(self.value(bucket), n) for bucket, n in counts.items()]
        return Arm(
            n=sum(counts.values()),
            total=math.fsum(n * value for value, n in values),
            total_sq=math.fsum(n * value * value for value, n in values),
        )


def ways(guardrails: Iterable[Guardrail]) -> dict[str, Way]:
    """Return how each metric that a guardrail is about is made."""
    found: dict[str, Way] = {}
    for guardrail in guardrails:
        limit = over_ms(guardrail.metric)
        if limit is not None:
            found[guardrail.metric] = Way(source=LATENCY_P95, kind="rate", value=_over(limit))
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


def table(counts: Iterable[LeafCounts], made: Mapping[str, Way]) -> Table:
    """Return what was counted by device as arrays, of which any cohort is a sum."""
    known = tuple(counts)
    devices = list(dict.fromkeys(device for each in known for device in each.devices))
    hours = sorted({hour for each in known for hour in each.hours})
    device_of, hour_of = ({one: place for place, one in enumerate(those)} for those in (devices, hours))
    shape = (len(ARMS), max(1, len(devices)), max(1, len(hours)))
    sums: dict[str, Numbers] = {}
    for each in known:
        device, hour = (
            np.array([places[one] for one in those], dtype=np.int64)[column]
            for places, those, column in ((device_of, each.devices, each.device), (hour_of, each.hours, each.hour))
        )
        place = np.ravel_multi_index((each.arm, device, hour), shape)
        buckets, bucket = np.unique(each.bucket, return_inverse=True)
        for metric, way in made.items():
            if way.source == each.metric:
                value = np.array([way.value(one) for one in buckets.tolist()])[bucket]
                told = (
                    np.bincount(place, each.n * value**power, math.prod(shape)).reshape(shape) for power in range(3)
                )
                sums[metric] = np.stack(list(told), axis=1)
    return Table(devices=tuple(devices), strata=tuple(stratum(device) for device in devices), hours=tuple(hours),
                 kinds={metric: made[metric].kind for metric in sums}, sums=sums)  # fmt: skip


def _strata(by_stratum: Mapping[tuple[datetime, str], Mapping[str, Arm]]) -> tuple[Stratum, ...]:
    return tuple(
        Stratum(hour=hour, name=name, baseline=both.get("baseline", NOBODY), candidate=both.get("candidate", NOBODY))
        for (hour, name), both in sorted(by_stratum.items())
    )


def _over(limit_ms: int) -> Callable[[int], float]:
    """Count the p95s in buckets above the one that the limit lies in; a bucket is 19 % wide."""
    last = math.floor(math.log2(limit_ms) * PER_DOUBLING)
    return lambda bucket: float(bucket > last)


def _parts_of(whole: int) -> Callable[[int], float]:
    return lambda bucket: bucket / whole


WAYS: Final[Mapping[str, Way]] = {
    **{name: Way(source=name, kind="rate", value=float) for name in HARMS},
    LATENCY_P95: Way(source=LATENCY_P95, kind="log_mean", value=lambda bucket: (bucket + 0.5) * LN_BUCKET),
    CSAT: Way(source=CSAT, kind="rate", value=lambda rating: float(rating >= satisfied_from(SCALE))),
    "low_rating_rate": Way(source=CSAT, kind="rate", value=lambda rating: float(rating <= LOW_TO)),
    CONFIDENCE: Way(source=CONFIDENCE, kind="mean", value=_parts_of(100)),
    BATTERY: Way(source=BATTERY, kind="mean", value=_parts_of(1000)),
}
