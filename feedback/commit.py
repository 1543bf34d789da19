"""Group commit: a thread that finds no leader commits everybody's rows in one transaction; all wait for the COMMIT.

There is no linger: while one group is committed the next one gathers. Rows that the store refuses are found by halving,
so that they cost nobody else anything.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Generic, Literal, Protocol, TypeVar

from core.errors import AppError

Row = TypeVar("Row")
Contra = TypeVar("Contra", contravariant=True)
Outcome = Literal["accepted", "duplicate", "refused"]

CAPACITY_ROWS = 20_000
GROUP_ROWS = 2_000


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


class _Ticket(Generic[Row]):
    """One caller's rows. `wake` is held until they are committed, or until the caller must lead."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.outcomes: list[Outcome] = []
        self.error: BaseException | None = None
        self.is_done = False
        self.wake = threading.Lock()
        self.wake.acquire()


class GroupCommit(Generic[Row]):
    """Commits rows of many threads together, in the order they came; `lanes` groups at once (SQLite takes one)."""

    def __init__(
        self, sink: Sink[Row], *, lanes: int = 1, capacity_rows: int = CAPACITY_ROWS, group_rows: int = GROUP_ROWS
    ) -> None:
        self._sink = sink
        self._capacity_rows = capacity_rows
        self._group_rows = group_rows
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket[Row]] = deque()
        self._waiting_rows = 0
        self._lanes = lanes
        self._leaders = 0

    def submit(self, rows: Sequence[Row]) -> list[Outcome]:
        """Return what became of each row, after it is durable.

        Raises: OverloadedError: the queue is full or the database is away; none of the rows was stored.
        """
        if not rows:
            return []
        ticket = _Ticket(rows)
        with self._lock:
            leads = self._leaders < self._lanes
            if leads:
                self._leaders += 1
            elif self._waiting and self._waiting_rows + len(rows) > self._capacity_rows:
                raise OverloadedError("Too much is waiting to be stored.", retry_after_s=2)
            else:
                self._waiting.append(ticket)
                self._waiting_rows += len(rows)
        if not leads:
            ticket.wake.acquire()
        if not ticket.is_done:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcomes

    def _lead(self, own: _Ticket[Row]) -> None:
        """Commit our own rows with those that wait, then let the first who waits by now lead."""
        try:
            self._settle(self._take(own))
        finally:
            with self._lock:
                follower = self._waiting.popleft() if self._waiting else None
                if follower is None:
                    self._leaders -= 1
                else:
                    self._waiting_rows -= len(follower.rows)
            if follower is not None:
                follower.wake.release()

    def _take(self, own: _Ticket[Row]) -> list[_Ticket[Row]]:
        group = [own]
        size = len(own.rows)
        with self._lock:
            while self._waiting and size + len(self._waiting[0].rows) <= self._group_rows:
                group.append(self._waiting.popleft())
                size += len(group[-1].rows)
                self._waiting_rows -= len(group[-1].rows)
        return group

    def _settle(self, group: list[_Ticket[Row]]) -> None:
        error: BaseException | None = None
        outcomes: list[Outcome] = []
        try:
            outcomes = self._commit([row for ticket in group for row in ticket.rows])
        except BaseException as raised:  # every waiting thread must hear of it, or it would wait for ever
            error = raised
        start = 0
        for ticket in group:
            ticket.error = error
            ticket.outcomes = outcomes[start : start + len(ticket.rows)]
            start += len(ticket.rows)
            ticket.is_done = True
            if ticket is not group[0]:
                ticket.wake.release()

    def _commit(self, rows: list[Row]) -> list[Outcome]:
        try:
            return ["accepted" if is_new else "duplicate" for is_new in self._sink.commit(rows)]
        except RefusedRowError:
            if len(rows) == 1:
                return ["refused"]
            half = len(rows) // 2
            return self._commit(rows[:half]) + self._commit(rows[half:])
