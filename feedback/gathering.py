"""Between an event loop and the threads that commit: rows of many requests go over together, and so do the answers.

Loop, server and committing threads share Python's lock, and to hand it to and fro for each request costs more than to
store it. So in a rush what comes is gathered for a moment; otherwise it goes over as soon as the loop is through with
what it is at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, Generic, NamedTuple

from feedback.commit import GROUP_ROWS, GroupCommit, Outcome, OverloadedError, Row

LINGER_S: Final = 0.002
# So many requests are enough, and wait for no others.
ENOUGH: Final = 32
# With fewer at a time there is no rush.
RUSH: Final = 4


class _Waiting(NamedTuple, Generic[Row]):
    """One request's rows, and its future."""

    rows: Sequence[Row]
    told: asyncio.Future[list[Outcome]]


class Gathering(Generic[Row]):
    """Commits what the requests of one event loop bring."""

    def __init__(self, commits: GroupCommit[Row]) -> None:
        self._commits = commits
        self._waiting: list[_Waiting[Row]] = []
        self._timer: asyncio.Handle | None = None
        self._usual = 0.0

    async def commit(self, rows: Sequence[Row]) -> list[Outcome]:
        """Return what became of each row, after it is durable. Raises: OverloadedError: none was stored."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(rows, loop.create_future())
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            self._timer = self._soon(loop)
        elif len(self._waiting) == ENOUGH and self._timer is not None:
            self._timer.cancel()
            self._gather(loop)
        return await waiting.told

    def _soon(self, loop: asyncio.AbstractEventLoop) -> asyncio.Handle:
        if self._usual > RUSH:
            return loop.call_later(LINGER_S, self._gather, loop)
        return loop.call_soon(self._gather, loop)

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        gathered, self._waiting = self._waiting, []
        self._usual = (self._usual + len(gathered)) / 2
        for lot in _lots(gathered):
            self._hand_over(lot, loop)

    def _hand_over(self, lot: list[_Waiting[Row]], loop: asyncio.AbstractEventLoop) -> None:
        def settle(outcomes: list[Outcome], error: BaseException | None) -> None:
            loop.call_soon_threadsafe(_tell, lot, outcomes, error)

        try:
            self._commits.put([row for each in lot for row in each.rows], settle)
        except OverloadedError as error:
            _tell(lot, [], error)


def _lots(gathered: list[_Waiting[Row]]) -> Iterator[list[_Waiting[Row]]]:
    """Yield them in the same order, no lot of more rows than a group has unless one request brought more."""
    lot: list[_Waiting[Row]] = []
    size = 0
    for each in gathered:
        size += len(each.rows)
        if lot and size > GROUP_ROWS:
            yield lot
            lot, size = [], len(each.rows)
        lot.append(each)
    yield lot


def _tell(lot: list[_Waiting[Row]], outcomes: list[Outcome], error: BaseException | None) -> None:
    start = 0
    for rows, told in lot:
        end = start + len(rows)
        if told.done():  # the phone is gone
            pass
        elif error is None:
            told.set_result(outcomes[start:end])
        else:
            told.set_exception(error)
        start = end
