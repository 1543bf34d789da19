"""Sketches: the log2x4 latency histogram, which phones fill and which merges by adding.

A latency of x > 0 ms falls into bucket i = floor(4 * log2(x)), so bucket i holds [2^(i/4), 2^((i+1)/4)) ms: four
buckets for each doubling, 19 % wide. Bucket 0 begins at 1 ms, bucket 20 at 32 ms; buckets below 1 ms are negative.
What is below 2^-10 ms is counted in bucket -40, what reaches 2^24 ms (4.6 h) in bucket 95. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

LOWEST: Final = -40
HIGHEST: Final = 95
PER_DOUBLING: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """How many latencies fell into each bucket."""

    buckets: Mapping[int, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return sum(self.buckets.values())


def bucket_of(latency_ms: float) -> int:
    """Return the bucket of a latency."""
    if not latency_ms > 0:
        return LOWEST
    if math.isinf(latency_ms):
        return HIGHEST
    # Powers of two first, as the product of a rounded logarithm may slip below a whole number.
    mantissa, exponent = math.frexp(latency_ms)
    inside = sum(mantissa * 2 >= 2 ** (quarter / PER_DOUBLING) for quarter in range(1, PER_DOUBLING))
    return min(HIGHEST, max(LOWEST, PER_DOUBLING * (exponent - 1) + inside))


def lower_edge_ms(bucket: int) -> float:
    """Return the smallest latency of a bucket."""
    return float(2 ** (bucket / PER_DOUBLING))


def sketch(latencies_ms: Iterable[float]) -> Sketch:
    """Return the histogram of latencies."""
    buckets: dict[int, int] = {}
    for latency in latencies_ms:
        buckets[bucket_of(latency)] = buckets.get(bucket_of(latency), 0) + 1
    return Sketch(buckets=buckets)


def merge(sketches: Iterable[Sketch]) -> Sketch:
    """Return all counts together; the order makes no difference."""
    buckets: dict[int, int] = {}
    for one in sketches:
        for bucket, count in one.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count
    return Sketch(buckets={bucket: buckets[bucket] for bucket in sorted(buckets) if buckets[bucket]})


def quantile_bucket(counted: Sketch, q: float) -> int | None:
    """Return the bucket that holds the quantile `q` (0..1): the first by which q * n latencies are reached."""
    reached, n = 0, counted.n
    for bucket in sorted(counted.buckets):
        reached += counted.buckets[bucket]
        if reached and reached >= q * n:
            return bucket
    return None


def quantile(counted: Sketch, q: float) -> float | None:
    """Return the quantile in ms, at most 9.1 % off: the geometric middle of its bucket. None without latencies."""
    bucket = quantile_bucket(counted, q)
    return None if bucket is None else lower_edge_ms(bucket) * 2 ** (1 / (2 * PER_DOUBLING))


def share_over(counted: Sketch, limit_ms: float) -> float | None:
    """Return the share of latencies at or above the bucket edge nearest to `limit_ms`. None without latencies.

    A limit is moved to an edge (at most 9.1 % away) so that the same latencies count on every phone and in every merge.
    """
    edge = edge_near(limit_ms)
    n = counted.n
    return sum(count for bucket, count in counted.buckets.items() if bucket >= edge) / n if n else None


def edge_near(limit_ms: float) -> int:
    """Return the bucket whose lower edge is nearest (by ratio) to a limit. Raises: ValueError: it is not positive."""
    if not 0 < limit_ms < math.inf:
        raise ValueError(f"no limit of {limit_ms} ms")
    return min(HIGHEST, max(LOWEST, round(PER_DOUBLING * math.log2(limit_ms))))
