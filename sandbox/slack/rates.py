"""How often a method may be called: a bucket of calls that refills with time."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    per_s: float
    burst: int


POSTS_PER_CHANNEL = Limit(per_s=1.0, burst=10)
LIMITS = {"chat.postMessage": POSTS_PER_CHANNEL, "chat.update": Limit(per_s=50 / 60, burst=50)}


@dataclass(slots=True)
class _Bucket:
    left: float
    real: float
    virtual: float


class Rates:
    """Time is the faster of the real clock and the world's, so an accelerated world is not throttled."""

    def __init__(self, clock: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: str, limit: Limit) -> int | None:
        """Take one call out of the bucket; when it is empty, return the seconds until it no longer is."""
        real, virtual = self._monotonic(), self._clock().timestamp()
        with self._lock:
            bucket = self._buckets.setdefault(key, _Bucket(float(limit.burst), real, virtual))
            passed = max(real - bucket.real, virtual - bucket.virtual)
            bucket.left = min(float(limit.burst), bucket.left + passed * limit.per_s)
            bucket.real, bucket.virtual = real, virtual
            if bucket.left >= 1.0:
                bucket.left -= 1.0
                return None
            return max(1, math.ceil((1.0 - bucket.left) / limit.per_s))
