"""Group commit: the rows of everybody who waits are committed in one transaction; all are answered after the COMMIT.

While one group is committed the next one gathers; only in a rush does it linger for a moment, as a group costs as much
as some twenty rows. Rows that the store refuses are found by halving, so that they cost nobody else anything. Callers
are threads or tasks of an event loop, which hears of a whole group in one call: loop, server and committing thread
share Python's lock, and to hand it over for each request costs more than to store it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from core.errors import AppError

Row = TypeVar("Row")
Contra = TypeVar("Contra", contravariant=True)
Outcome = Literal["accepted", "duplicate", "refused"]
Told = Future[list[Outcome]] | asyncio.Future[list[Outcome]]

CAPACITY_ROWS = 20_000
GROUP_ROWS = 2_000
# With more callers in a group there is a rush.
RUSH = 4
LINGER_S = 0.002


class OverloadedError(AppError):
    """Too much is waiting, or the database cannot be reached. Nothing was stored; try again."""

    status = 503

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RefusedRowError(Exception):
    """The store will never take one of these rows."""


class Sink(Protocol[Contra]):
    """Where groups go: our database now, something that takes more some day."""

    def commit(self, rows: Sequence[Contra]) -> Sequence[bool]:
        """Store all rows durably or none; return which were new.

        Raises: RefusedRowError: one of them never fits; OverloadedError: not now.
        """
        ...


class _Ticket(NamedTuple, Generic[Row]):
    """What one caller handed in; in `loop` (None: in any thread) it is told what became of it."""

    rows: Sequence[Row]
    told: Told
    loop: asyncio.AbstractEventLoop | None


class GroupCommit(Generic[Row]):
    """Commits rows of many callers together, in the order they came; `lanes` groups at once (SQLite takes one)."""

    def __init__(
        self, sink: Sink[Row], *, lanes: int = 1, capacity_rows: int = CAPACITY_ROWS, group_rows: int = GROUP_ROWS,
        linger: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._sink = sink
        self._capacity_rows = capacity_rows
        self._group_rows = group_rows
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket[Row]] = deque()
        self._waiting_rows = 0
        self._lanes = lanes
        self._linger = linger
        self._busy = 0
        self._threads = ThreadPoolExecutor(lanes, thread_name_prefix="commit")

    def submit(self, rows: Sequence[Row]) -> list[Outcome]:
        """Return what became of each row, after it is durable.

        Raises: OverloadedError: the queue is full or the database is away; none of the rows was stored.
        """
        told: Future[list[Outcome]] = Future()
        self._put(_Ticket(rows, told, None))
        return told.result()

    async def commit(self, rows: Sequence[Row]) -> list[Outcome]:
        """Do the same in an event loop, which goes on meanwhile."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[list[Outcome]] = loop.create_future()
        self._put(_Ticket(rows, told, loop))
        return await told

    def _put(self, ticket: _Ticket[Row]) -> None:
        if not ticket.rows:
            ticket.told.set_result([])
            return
        with self._lock:
            is_first = self._busy < self._lanes
            if is_first:
                self._busy += 1
            elif self._waiting and self._waiting_rows + len(ticket.rows) > self._capacity_rows:
                raise OverloadedError("Too much is waiting to be stored.", retry_after_s=2)
            else:
                self._waiting.append(ticket)
                self._waiting_rows += len(ticket.rows)
        if is_first:
            self._threads.submit(self._drain, ticket)

    def _drain(self, first: _Ticket[Row]) -> None:
        """Commit one group after the other until nothing waits."""
        group = [first]
        while group:
            self._settle(group)
            if len(group) > RUSH:
                self._linger(LINGER_S)
            group = self._take()

    def _take(self) -> list[_Ticket[Row]]:
        group: list[_Ticket[Row]] = []
        size = 0
        with self._lock:
            while self._waiting and (not group or size + len(self._waiting[0].rows) <= self._group_rows):
                group.append(self._waiting.popleft())
                size += len(group[-1].rows)
            self._waiting_rows -= size
            self._busy -= not group
        return group

    def _settle(self, group: list[_Ticket[Row]]) -> None:
        error: BaseException | None = None
        outcomes: list[Outcome] = []
        try:
            outcomes = self._commit([row for ticket in group for row in ticket.rows])
        except BaseException as raised:  # every caller must hear of it, or it would wait for ever
            error = raised
        start = 0
        told = defaultdict[asyncio.AbstractEventLoop | None, list[tuple[Told, list[Outcome]]]](list)
        for ticket in group:
            told[ticket.loop].append((ticket.told, outcomes[start : start + len(ticket.rows)]))
            start += len(ticket.rows)
        for loop, each in told.items():
            if loop is None:
                _tell(each, error)
            else:
                with suppress(RuntimeError):  # the loop is closed, and nobody waits
                    loop.call_soon_threadsafe(_tell, each, error)

    def _commit(self, rows: list[Row]) -> list[Outcome]:
        try:
            return ["accepted" if is_new else "duplicate" for is_new in self._sink.commit(rows)]
        except RefusedRowError:
            if len(rows) == 1:
                return ["refused"]
            half = len(rows) // 2
            return self._commit(rows[:half]) + self._commit(rows[half:])


def _tell(told: Iterable[tuple[Told, list[Outcome]]], error: BaseException | None) -> None:
    for caller, outcomes in told:
        if caller.done():  # it is gone
            continue
        if error is None:
            caller.set_result(outcomes)
        else:
            caller.set_exception(error)
