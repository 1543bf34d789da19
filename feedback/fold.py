"""Folding: brings what waits in the inbox into the other tables and the cells, exactly once.

A letter is deleted from the inbox and counted in one transaction. Whoever comes second (another process, a reader that
wants to see everything) finds the letter gone and leaves it alone. The order of letters makes no difference.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from core.clock import monotonic, system_clock
from core.db import reading, repeatable
from core.privacy import InstallHash
from feedback import cells, inbox, store_diaries
from feedback import store_items as items
from feedback.store_items import Portion
from feedback.store_sheets import lock_sheets
from feedback.tables import INBOX
from feedback.telemetry import Summary

log = logging.getLogger(__name__)

# The write lock of SQLite is held for as many; phones get their turn between.
ROWS: Final = 100
# A reader folds no more than this before it reads: after a long outage it is better late than never.
ROWS_BEFORE_READING: Final = 60_000
PAUSE_S: Final = 0.2
# While phones send they have the lock, the longer the more comes, until so much waits that a reader would wait long.
# Half of what a reader folds: it must see everything although a rush grows on.
RUSH_ROWS: Final = ROWS_BEFORE_READING // 2
TURN_OF_PHONES: Final = 3.0
TURN_IN_A_RUSH: Final = 39.0
TURN_WHEN_BEHIND: Final = 0.3
LEAST_TURN_S: Final = 0.005
# A ProgrammingError is none of these: PostgreSQL says so of a table that is not there, which is no fault of a row.
NEVER_FITS: Final = (
    sa.exc.DataError, sa.exc.IntegrityError, sa.exc.StatementError, OverflowError, ValueError, msgspec.MsgspecError,
)  # fmt: skip
AWAY: Final = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.ProgrammingError)

Sessions = sessionmaker[Session]


class _Letter(NamedTuple):
    id: int
    kind: str
    payload: bytes


class _TakenError(Exception):
    """Somebody else folded one of these letters meanwhile."""


def fold_some(sessions: Sessions, *, rows: int = ROWS, back_from: int | None = None) -> int:
    """Fold the oldest letters, or the newest up to one; return how many were looked at, 0 when none waits."""
    waiting = sa.select(INBOX.c.id, INBOX.c.kind, INBOX.c.payload).where(INBOX.c.refused.is_(None)).limit(rows)
    chosen = (
        waiting.order_by(INBOX.c.id)
        if back_from is None
        else waiting.where(INBOX.c.id <= back_from).order_by(INBOX.c.id.desc())
    )
    with reading(sessions) as session:
        letters = [_Letter(*row) for row in session.execute(chosen)]
    if letters:
        _fold(sessions, letters)
    return len(letters)


def catch_up(sessions: Sessions, *, rows: int = ROWS_BEFORE_READING) -> None:
    """Fold what waits now, the newest first, as the worker has begun with the oldest: else both would make the same
    portions, one of them in vain. While phones send, half of the time is theirs.

    When the database will not have it, that is logged: what is there can still be read.
    """
    rest_s = 0.0
    try:
        first = left = _edges(sessions)
        while first and left and rows > 0 and left[0] <= first[1]:
            if rest_s:
                time.sleep(rest_s)
            begun, newest = monotonic(), left[1]
            rows -= fold_some(sessions, back_from=first[1])
            busy_s, left = monotonic() - begun, _edges(sessions)
            rest_s = busy_s if left and left[1] > newest else 0.0
    except AWAY as error:
        log.warning("fold.behind", extra={"error": type(error.orig).__name__})


def fresh(sessions: Sessions) -> Session:
    """Return a session for reading in which everything is seen that was acknowledged before."""
    catch_up(sessions)
    return reading(sessions)


def fold_install(session: Session, *, app: str, install: InstallHash) -> None:
    """Fold what one install has in the inbox within the caller's transaction, which erases or exports it then."""
    lock_sheets(session)
    is_its = (INBOX.c.app == app, INBOX.c.install == install, INBOX.c.refused.is_(None))
    taken = sa.delete(INBOX).where(*is_its).returning(INBOX.c.kind, INBOX.c.payload)
    letters = [inbox.unpack(kind, payload) for kind, payload in session.execute(taken)]
    write(session, items.portion(session.get_bind().dialect, letters))
    session.execute(sa.delete(INBOX).where(INBOX.c.app == app, INBOX.c.install == install))


def write(session: Session, portion: Portion) -> None:
    """Write a portion into the tables and count what was not there yet."""
    new = items.add_letters(session, portion)
    if len(new) < len(portion.letters):
        portion = items.portion(session.get_bind().dialect, new)
    changes = items.add_facts(session, portion)
    summaries = [item for item in portion.letters if isinstance(item, Summary)]
    cells.count(session, summaries, store_diaries.add(session, portion.hours), changes)


class Pace:
    """Decides how long phones have their turn after a portion, by how many letters came since the one before."""

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        self._pause_s = pause_s
        self._waited: int | None = None

    def turn_s(self, folded: int, *, busy_s: float, waiting: int) -> float:
        """Return seconds, after `folded` letters took `busy_s` and so many are `waiting` now."""
        came = 0 if self._waited is None else max(0, folded + waiting - self._waited)
        self._waited = waiting
        if folded < ROWS:
            return self._pause_s
        share = min(TURN_IN_A_RUSH, TURN_OF_PHONES * came / ROWS)
        if waiting >= RUSH_ROWS:
            share = min(share, TURN_WHEN_BEHIND)
        return max(LEAST_TURN_S, busy_s * share)


class Folding(threading.Thread):
    """Folds all the time, until it is told to stop."""

    def __init__(self, sessions: Sessions, *, pause_s: float = PAUSE_S) -> None:
        super().__init__(name="folding", daemon=True)
        self._sessions = sessions
        self._pause_s = pause_s
        self._stopped = threading.Event()

    def run(self) -> None:
        pace = Pace(self._pause_s)
        while not self._stopped.is_set():
            begun, rest_s = monotonic(), self._pause_s
            try:
                folded = fold_some(self._sessions)
                busy_s = monotonic() - begun
                oldest, newest = _edges(self._sessions) or (1, 0)
                rest_s = pace.turn_s(folded, busy_s=busy_s, waiting=1 + newest - oldest)
            except sa.exc.SQLAlchemyError as error:
                log.warning("fold.unavailable", extra={"error": type(error).__name__})
            self._stopped.wait(rest_s)

    def stop(self) -> None:
        """End after the transaction that is under way."""
        self._stopped.set()
        self.join()


def _fold(sessions: Sessions, letters: Sequence[_Letter]) -> None:
    """Fold letters in one transaction; those that never fit are found by halving and set aside."""
    try:
        unpacked = (inbox.unpack(letter.kind, letter.payload) for letter in letters)
        portion = items.portion(sessions.kw["bind"].dialect, unpacked)
        with repeatable(sessions) as session:
            lock_sheets(session)
            _claim(session, [letter.id for letter in letters])
            write(session, portion)
            session.commit()
    except _TakenError:
        return
    except AWAY:
        raise
    except NEVER_FITS as error:
        if len(letters) == 1:
            _set_aside(sessions, letters[0], error)
            return
        half = len(letters) // 2
        _fold(sessions, letters[:half])
        _fold(sessions, letters[half:])


def _claim(session: Session, ids: Sequence[int]) -> None:
    if session.get_bind().dialect.name == "sqlite":
        each = sa.func.json_each(json.dumps(ids)).table_valued("value")
        chosen: Any = INBOX.c.id.in_(sa.select(each.c.value))
    else:
        chosen = INBOX.c.id == sa.func.any(sa.literal(ids, sa.ARRAY(sa.BigInteger)))
    taken: Any = session.execute(sa.delete(INBOX).where(chosen))
    if taken.rowcount != len(ids):
        raise _TakenError


def _set_aside(sessions: Sessions, letter: _Letter, error: Exception) -> None:
    log.error("fold.refused", extra={"letter": letter.id, "error": type(error).__name__})
    with sessions.begin() as session:
        why = {"refused": type(error).__name__, "refused_at": system_clock()}
        session.execute(sa.update(INBOX).where(INBOX.c.id == letter.id).values(**why))


def backlog(sessions: Sessions) -> tuple[int, datetime | None]:
    """Return how many letters wait, at most, and when the oldest was received."""
    edges = _edges(sessions)
    if edges is None:
        return 0, None
    with reading(sessions) as session:
        row = session.execute(sa.select(INBOX.c.kind, INBOX.c.payload).where(INBOX.c.id == edges[0])).one_or_none()
    return 1 + edges[1] - edges[0], row and inbox.unpack(row.kind, row.payload).received_at


def _edges(sessions: Sessions) -> tuple[int, int] | None:
    """Return the oldest and the newest letter that wait; each is looked up by itself, at an end of the key."""
    waits = INBOX.c.refused.is_(None)
    ends = (sa.select(edge(INBOX.c.id)).where(waits).scalar_subquery() for edge in (sa.func.min, sa.func.max))
    with reading(sessions) as session:
        oldest, newest = session.execute(sa.select(*ends)).one()
    return None if oldest is None else (oldest, newest)
