"""The one place that reads the clock.

A clock is a function, so a test hands in its own. The sandbox runs the whole house on a clock of its
own making: a small file that says which moment it was, when, and how fast time runs since.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    return datetime.now(UTC)


class FileClock:
    """Virtual time from `{"at": ISO moment, "real": epoch seconds, "rate": virtual per real second}`.

    The file is read again whenever it changed, so a jump reaches every process at its next look.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._at = system_clock()
        self._real = time.time()
        self._rate = 1.0

    def __call__(self) -> datetime:
        self._read()
        return self._at + timedelta(seconds=(time.time() - self._real) * self._rate)

    def _read(self) -> None:
        stat = self._path.stat()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp == self._stamp:
            return
        facts = json.loads(self._path.read_text())
        self._at = datetime.fromisoformat(facts["at"]).astimezone(UTC)
        self._real = float(facts["real"])
        self._rate = float(facts["rate"])
        self._stamp = stamp


def clock_from(clock_file: Path | None) -> Clock:
    """Return the system's clock, or the sandbox's when a clock file is set."""
    return FileClock(clock_file) if clock_file else system_clock


def monotonic() -> float:
    """Seconds that only ever grow; for time limits and rates, never for dates."""
    return time.monotonic()
