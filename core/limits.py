"""How often a key may ask: a bucket of tokens for each key, filled at a steady rate."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from core.clock import monotonic

KEYS_AT_MOST = 10_000


class RateLimit:
    """`per_s` requests a second, and at once as many as come in `burst_s` seconds (but always one)."""

    def __init__(self, per_s: float, *, burst_s: float = 1.0, seconds: Callable[[], float] = monotonic) -> None:
        self._per_s = per_s
        self._holds = max(1.0, per_s * burst_s)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: str) -> int:
        """Take a token and return 0, or return the whole seconds until there will be one."""
        with self._lock:
            now = self._seconds()
            left, at = self._left.get(key, (self._holds, now))
            left = min(self._holds, left + (now - at) * self._per_s)
            if len(self._left) >= KEYS_AT_MOST:
                self._left.clear()
            if left >= 1:
                self._left[key] = left - 1, now
                return 0
            self._left[key] = left, now
        return max(1, math.ceil((1 - left) / self._per_s))
