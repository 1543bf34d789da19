"""The number of the world's last change, and a way to wait for the next."""

from __future__ import annotations

import threading


class Changes:
    """Counts changes. Whoever watches asks for the next after the last they saw."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._last = 0
        self._closed = False

    @property
    def last(self) -> int:
        with self._condition:
            return self._last

    @property
    def is_closed(self) -> bool:
        with self._condition:
            return self._closed

    def note(self) -> None:
        with self._condition:
            self._last += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout_s: float) -> int:
        """Return the last change: at once if it is above `seen`, else at the next or after the timeout."""
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._last > seen, timeout_s)
            return self._last

    def close(self) -> None:
        """Wake all who wait, for good."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
