"""Sketches: the log2x4 latency histogram, which phones fill and which merges by adding.

A latency of x > 0 ms falls into bucket i = floor(4 * log2(x)), so bucket i holds [2^(i/4), 2^((i+1)/4)) ms: four
buckets for each doubling, 19 % wide. Bucket 0 begins at 1 ms, bucket 20 at 32 ms; buckets below 1 ms are negative.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PER_DOUBLING: Final = 4


def quantile_bucket(counts: Mapping[int, int], q: float) -> int | None:
    """Return the bucket that holds the quantile `q` (0..1): the first by which q * n latencies are reached.

    None when nothing was counted.
    """
    n = sum(counts.values())
    reached = 0
    for bucket in sorted(counts):
        reached += counts[bucket]
        if reached and reached >= q * n:
            return bucket
    return None
