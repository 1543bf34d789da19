"""What the exit status of `muster` says, for pipelines that branch on it, and waiting for what another machine does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from core.errors import AppError, Problem, UpstreamError

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
"""Click's own for misuse, too: nothing was done, and the same again will be refused again."""
ON_ITS_WAY: Final = 3
UNREACHABLE: Final = 4
STOPPED: Final = 5

Found = dict[str, Any]


class RefusedError(AppError):
    """The server's refusal, with its HTTP status."""

    def __init__(self, status: int, message: str, *problems: Problem) -> None:
        super().__init__(message, *problems)
        self.status = status


class UnreachableError(AppError):
    """Nobody answers, or not now; later somebody may."""

    status = 503


def status_of(error: AppError) -> int:
    """Return the exit status of a command that ended in this error."""
    if isinstance(error, UnreachableError) or (isinstance(error, UpstreamError) and not error.permanent):
        return UNREACHABLE
    return REFUSED if 400 <= error.status < 500 else FAILED


def watch(
    look: Callable[[], Found],
    *,
    every_s: float,
    timeout_s: float,
    seconds: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Found]:
    """Yield what is found, again and again, until time is up. A server that has answered once may go and come back.

    Raises: UnreachableError: it did not answer at first, or not at the end.
    """
    deadline = seconds() + timeout_s
    found: Found | None = look()
    while True:
        if found is not None:
            yield found
        left_s = deadline - seconds()
        if left_s <= 0:
            return
        sleep(min(every_s, left_s))
        try:
            found = look()
        except UnreachableError:
            if seconds() >= deadline:
                raise
            found = None
