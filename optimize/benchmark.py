"""Benchmark of one artifact, and the ratio of two latencies with its interval. Pure.

Times are thread CPU nanoseconds of interleaved, shuffled runs in several sittings, each with fresh sessions; a second
copy of the parent runs along, and what it differs from itself by widens every interval. So an identical copy is never
called faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

RESOLUTION: Final = 0.01
# Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom.
_T95: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    p50_ms: float
    p90_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Time of the variant divided by the parent's, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_faster(self) -> bool:
        return self.high < 1

    @property
    def is_slower(self) -> bool:
        return self.low > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What one artifact costs on this machine. `memory_bytes`: peak resident memory of loading and running it in a
    fresh process; `macs` multiply-accumulates of one inference."""

    sha256: str
    size_bytes: int
    gzip_bytes: int
    latency: Latency | None
    load_ms: float | None
    memory_bytes: int | None
    macs: int | None
    parameters: int | None


def latency(nanoseconds: Sequence[int]) -> Latency:
    """Raises: ValueError: there are no times."""
    if not nanoseconds:
        raise ValueError("no times were taken")
    p50, p90, p95 = (float(value) / 1e6 for value in np.quantile(np.asarray(nanoseconds), (0.5, 0.9, 0.95)))
    return Latency(p50_ms=p50, p90_ms=p90, p95_ms=p95)


def ratio(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], copy: Sequence[Sequence[int]]) -> Ratio:
    """Compare times by sittings (outer) and rounds (inner, interleaved: the k-th of each belong together).

    `copy`: the parent once more. Raises: ValueError: fewer than two sittings.
    """
    if len(before) < 2 or not len(before) == len(after) == len(copy):
        raise ValueError("a ratio needs at least two sittings of each")
    middle, half = _mean(_log_ratios(before, after))
    drift, drift_half = _mean(_log_ratios(before, copy))
    half = math.sqrt(half**2 + drift**2 + drift_half**2) + RESOLUTION
    return Ratio(value=math.exp(middle), low=math.exp(middle - half), high=math.exp(middle + half))


def _log_ratios(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> list[float]:
    """Return each sitting's median of the rounds' log ratios."""
    pairs = zip(before, after, strict=True)
    return [float(np.median(np.log(np.asarray(b, float)) - np.log(np.asarray(a, float)))) * -1 for b, a in pairs]


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and half of its 95 % interval."""
    n = len(values)
    quantile = _T95[min(n - 2, len(_T95) - 1)]
    return float(np.mean(values)), quantile * float(np.std(values, ddof=1)) / math.sqrt(n)
