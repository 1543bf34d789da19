"""Locks by name, of one process at a time: a lock goes with its process, however that ends.

SQLite: a locked file beside the database. PostgreSQL: a session's advisory lock.
"""

from __future__ import annotations

import fcntl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

import sqlalchemy as sa

from core.errors import InvalidInputError, Problem

FAMILY = 0x6D757374  # of all advisory locks of this house that have a name
# A machine that vanished is found out within half a minute, not after the two hours that systems take.
KEEPALIVE = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3")


@contextmanager
def hold(database_url: str, name: str, *, again: Callable[[], bool]) -> Iterator[bool]:
    """Hold the lock for as long as the block runs; yield False if it could not be had before `again` said no.

    `again` is asked whenever somebody else has the lock, and waits before it says yes.
    Raises: InvalidInputError: nothing can be written beside the database.
    """
    if database_url.startswith("sqlite:///"):
        with _file(database_url.removeprefix("sqlite:///"), name) as file:
            yield _take(lambda: _has_locked(file), again)
        return
    # No transaction is left open, not even one that waits for the lock: the job engine builds its indexes
    # CONCURRENTLY, which waits for every open transaction of the database.
    engine = sa.create_engine(database_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for each in KEEPALIVE:
            connection.exec_driver_sql(f"SET {each}")
        number = zlib.crc32(name.encode()) - 2**31  # PostgreSQL's integers are signed
        lock = sa.select(sa.func.pg_try_advisory_lock(FAMILY, number))
        yield _take(lambda: bool(connection.scalar(lock)), again)


def _take(has_taken: Callable[[], bool], again: Callable[[], bool]) -> bool:
    while not has_taken():
        if not again():
            return False
    return True


def _file(database: str, name: str) -> IO[str]:
    path = Path(f"{database}.{quote(name, safe='')}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w")
    except OSError as error:
        told = f"nothing can be written beside that file ({error.strerror}: {error.filename})"
        raise InvalidInputError(Problem("MUSTER_DATABASE_URL", told)) from error


def _has_locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
