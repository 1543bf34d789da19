"""Stores what is acknowledged: each group of letters in one transaction, by the database's own driver."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import sqlalchemy as sa

from core.clock import monotonic
from feedback import inbox
from feedback.commit import OverloadedError, RefusedRowError
from feedback.inbox import Letter, SomeAreKnownError

Value = TypeVar("Value")
log = logging.getLogger(__name__)

LOCK_WITHIN_S = 30.0
LOOK_EVERY_S = 0.001
RETRY_AFTER_S = 5


class _GoneError(OverloadedError):
    """The database cannot be reached."""


class InboxSink:
    """Stores a group in one transaction, with the driver itself: SQLAlchemy's part would be most of a small one.

    Each committing thread keeps a connection of its own, so that a group costs no step beside its own.
    """

    def __init__(self, engine: sa.Engine, *, lock_within_s: float = LOCK_WITHIN_S) -> None:
        self._engine = engine
        self._lock_within_s = lock_within_s
        self._driver: Any = engine.dialect.loaded_dbapi
        driver = self._driver
        self._is_sqlite = engine.dialect.name == "sqlite"
        # Of a table that is not there PostgreSQL says ProgrammingError, which is no fault of a row.
        self._away = (driver.OperationalError, driver.InterfaceError, driver.InternalError, driver.ProgrammingError)
        self._never_fits = (driver.DataError, driver.IntegrityError, OverflowError, ValueError)
        self._open: dict[int, Any] = {}
        weakref.finalize(self, _close, self._open)

    def commit(self, rows: Sequence[Letter]) -> list[bool]:
        is_old = threading.get_ident() in self._open
        try:
            return self._put(rows)
        except _GoneError:
            if not is_old:
                raise
            # The server may have gone and come back meanwhile. What was stored after all is a duplicate then.
            return self._put(rows)

    def _put(self, rows: Sequence[Letter]) -> list[bool]:
        connection = self._connection()
        try:
            is_new = self._on_sqlite(connection, rows) if self._is_sqlite else inbox.put_all(connection, rows)
        except self._away as error:
            self._drop()
            raise _away(error) from error
        except self._never_fits as error:
            connection.rollback()
            log.warning("ingest.refused", extra={"rows": len(rows), "error": type(error).__name__})
            raise RefusedRowError from error
        except BaseException:
            self._drop()
            raise
        return is_new

    def _connection(self) -> Any:
        known = self._open.get(threading.get_ident())
        if known is not None:
            return known
        try:
            pooled = self._engine.raw_connection()
        except sa.exc.SQLAlchemyError as error:
            raise _away(error.__cause__ or error) from error
        connection: Any = pooled.dbapi_connection
        pooled.detach()  # from now on it is ours alone
        if self._is_sqlite:
            connection.execute("PRAGMA busy_timeout=0")
        else:
            connection.autocommit = True  # a group is a transaction of its own there
        self._open[threading.get_ident()] = connection
        return connection

    def _drop(self) -> None:
        with suppress(self._driver.Error):
            self._open.pop(threading.get_ident()).close()

    def _on_sqlite(self, connection: Any, rows: Sequence[Letter]) -> list[bool]:
        """Mostly all are new and one statement takes them: a transaction of its own, and one call of the driver."""
        cursor = connection.cursor()
        with suppress(SomeAreKnownError):
            return self._when_free(lambda: inbox.put_new(cursor, rows))
        self._when_free(lambda: cursor.execute("BEGIN IMMEDIATE"))
        is_new = inbox.put(cursor, rows)
        connection.commit()
        return is_new

    def _when_free(self, work: Callable[[], Value]) -> Value:
        """Do it when the write lock is free. SQLite itself waits ever longer, and misses the gaps between folds."""
        limit = monotonic() + self._lock_within_s
        while True:
            try:
                return work()
            except self._driver.OperationalError as error:
                if "locked" not in str(error):
                    raise
                if monotonic() > limit:
                    log.warning("ingest.locked", extra={"seconds": self._lock_within_s})
                    raise OverloadedError("The database is locked.", retry_after_s=RETRY_AFTER_S) from error
            time.sleep(LOOK_EVERY_S)


def _close(connections: dict[int, Any]) -> None:
    while connections:
        connections.popitem()[1].close()


def _away(error: BaseException) -> _GoneError:
    log.warning("ingest.unavailable", extra={"error": type(error).__name__})
    return _GoneError("The database cannot be reached.", retry_after_s=RETRY_AFTER_S)
