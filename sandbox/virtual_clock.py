"""A clock that can be turned forward and run fast, kept in a small file that other processes read."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path


class VirtualClock:
    """Virtual now = `at` + (real now − `real`) × `rate`. Never runs backwards."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        at: datetime | None = None,
        rate: float = 1.0,
        real: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._read_real = real
        self._lock = threading.Lock()
        self._real = real()
        self._at = at or datetime.fromtimestamp(self._real, UTC)
        self._rate = rate
        self._write()

    def __call__(self) -> datetime:
        with self._lock:
            return self._now(self._read_real())

    @property
    def rate(self) -> float:
        return self._rate

    def advance(self, by: timedelta) -> None:
        """Raises: ValueError: `by` is negative."""
        if by < timedelta(0):
            raise ValueError("time does not run backwards")
        self._rebase(by=by, rate=self._rate)

    def set_rate(self, rate: float) -> None:
        """Let `rate` virtual seconds pass in each real one; 0 stands still. Raises: ValueError: below 0."""
        if not rate >= 0:
            raise ValueError("time does not run backwards")
        self._rebase(by=timedelta(0), rate=rate)

    def _rebase(self, *, by: timedelta, rate: float) -> None:
        with self._lock:
            real = self._read_real()
            self._at, self._real, self._rate = self._now(real) + by, real, rate
            self._write()

    def _now(self, real: float) -> datetime:
        return self._at + timedelta(seconds=max(0.0, real - self._real) * self._rate)

    def _write(self) -> None:
        """Replace the file in one step, so that no reader ever sees half of it."""
        if self.path is None:
            return
        facts = {"at": self._at.isoformat(), "real": self._real, "rate": self._rate}
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.write_text(json.dumps(facts))
        os.replace(fresh, self.path)
