"""Between an event loop and the threads that commit: rows of many requests go over together, and so do the answers.

Loop, server and committing threads share Python's lock, and to hand it to and fro for each request costs more than to
store it. So in a rush the loop stands still twice a group, for a fraction of a millisecond each: while the server
brings more, and while the group is stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, Generic, NamedTuple

from feedback.commit import GROUP_ROWS, GroupCommit, Outcome, OverloadedError, Row

# A disk that takes longer holds up nobody else: the loop goes on and is called.
STILL_S: Final = 0.0005
NAP_S: Final = 0.0001
NAPS: Final = 4
# With fewer requests a group there is no rush, and no nap.
RUSH: Final = 4


class _Waiting(NamedTuple, Generic[Row]):
    """One request's rows, and its future."""

    rows: Sequence[Row]
    told: asyncio.Future[list[Outcome]]


class _Settled(NamedTuple, Generic[Row]):
    lot: list[_Waiting[Row]]
    outcomes: list[Outcome]
    error: BaseException | None


class Gathering(Generic[Row]):
    """Commits what the requests of one event loop bring."""

    def __init__(self, commits: GroupCommit[Row]) -> None:
        self._commits = commits
        self._waiting: list[_Waiting[Row]] = []
        self._settled: SimpleQueue[_Settled[Row]] = SimpleQueue()
        self._is_looking = False
        self._usual = 0.0
        self._naps = 0

    async def commit(self, rows: Sequence[Row]) -> list[Outcome]:
        """Return what became of each row, after it is durable. Raises: OverloadedError: none was stored."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(rows, loop.create_future())
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            loop.call_soon(self._gather, loop)
        return await waiting.told

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over what is there, in a rush once it is as much as usual."""
        if RUSH < self._usual > len(self._waiting) and self._naps < NAPS:
            self._naps += 1
            time.sleep(NAP_S)
            loop.call_soon(self._gather, loop)
            return
        gathered, self._waiting, self._naps = self._waiting, [], 0
        self._usual = (self._usual + len(gathered)) / 2
        self._is_looking = True
        for lot in _lots(gathered):
            self._hand_over(lot, loop)
        with suppress(Empty):
            _tell(self._settled.get(timeout=STILL_S))
        self._is_looking = False
        self._tell_all()

    def _hand_over(self, lot: list[_Waiting[Row]], loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._commits.put([row for each in lot for row in each.rows], partial(self._settle, loop, lot))
        except OverloadedError as error:
            self._settled.put(_Settled(lot, [], error))

    def _settle(
        self,
        loop: asyncio.AbstractEventLoop,
        lot: list[_Waiting[Row]],
        outcomes: list[Outcome],
        error: BaseException | None,
    ) -> None:
        """Called by a committing thread; the loop is woken unless it will look anyway."""
        self._settled.put(_Settled(lot, outcomes, error))
        if not self._is_looking:
            loop.call_soon_threadsafe(self._tell_all)

    def _tell_all(self) -> None:
        with suppress(Empty):
            while True:
                _tell(self._settled.get_nowait())


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


def _tell(settled: _Settled[Row]) -> None:
    start = 0
    for rows, told in settled.lot:
        end = start + len(rows)
        if told.done():  # the phone is gone
            pass
        elif settled.error is None:
            told.set_result(settled.outcomes[start:end])
        else:
            told.set_exception(settled.error)
        start = end
