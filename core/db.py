"""Databases: two declarative bases, aware UTC moments, sessions that begin with the write lock.

`Control` holds what people decide (and the jobs), `Ingest` what phones send. On SQLite they are two files,
because one file halves ingest; on PostgreSQL both are one database. Nothing joins across the two.

Whoever decides looks first (is the model's slot free? who approved?) and then writes. On both databases the deciders
go one after the other, so that what was looked at still holds: SQLite has one writer, PostgreSQL is given one lock.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction, sessionmaker

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


CONTROL_LOCK = 0x6D757375
# What is read together is of one moment, as it is on SQLite.
READING: dict[str, dict[str, Any]] = {
    "sqlite": {"read_only": True},
    "postgresql": {"read_only": True, "isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "secure_delete=ON",  # what was erased is not to be found in the file
    "foreign_keys=ON",
    "busy_timeout=30000",
    # Indexes of random keys touch many pages: 32 MiB of them, and 16 MiB of log between checkpoints, halve a commit.
    "cache_size=-32768",
    "wal_autocheckpoint=4000",
)


class UtcMoment(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite keeps it as sortable text. A naive one is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[datetime | None], Any]:
        # SQLAlchemy's own way to SQLite's text takes four times as long, for each of five moments of an answer.
        return _as_text if dialect.name == "sqlite" else _as_utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _as_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _as_text(value: datetime | None) -> str | None:
    utc = _as_utc(value)
    return None if utc is None else utc.isoformat(" ", "microseconds")[:26]


class Control(DeclarativeBase):
    """What people decide: releases, polls, tickets, keys, audit."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcMoment}  # noqa: RUF012 (SQLAlchemy's own spelling)


class Ingest(DeclarativeBase):
    """What phones send: answers, telemetry, cells."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcMoment}  # noqa: RUF012


def insert(bind: Session | sa.Connection | sa.Dialect, table: Any) -> Any:
    """Return the dialect's own INSERT, which knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    connection = bind.connection() if isinstance(bind, Session) else bind
    dialect = connection.dialect if isinstance(connection, sa.Connection) else connection
    return (sqlite if dialect.name == "sqlite" else postgresql).insert(table)


def among(session: Session, column: Any, values: Sequence[str]) -> Any:
    """Return the condition that a column has one of some values, which travel as one parameter, however many."""
    if session.get_bind().dialect.name == "sqlite":
        each = sa.func.json_each(json.dumps(values)).table_valued("value")
        return column.in_(sa.select(each.c.value))
    return column.in_(sa.select(sa.func.json_array_elements_text(sa.literal(values, sa.JSON)).column_valued("each")))


def open_engine(url: str, *, pool_size: int = 20) -> sa.Engine:
    """Open a database. SQLite: WAL, every commit synced, transactions that begin with the write lock.

    BEGIN IMMEDIATE is issued by ourselves (pysqlite's own begins too late and then fails to upgrade its lock).
    Errors never hold what was written.
    """
    if not url.startswith("sqlite"):
        return sa.create_engine(
            url, pool_size=pool_size, pool_pre_ping=True, json_serializer=_json, hide_parameters=True
        )
    if path := url.removeprefix("sqlite:///"):
        with contextlib.suppress(OSError):  # whoever connects hears of it
            _make_private(Path(path))
    # Last in, first out: the connection that wrote last has the pages that the next write needs.
    engine = sa.create_engine(
        url, pool_size=pool_size, pool_use_lifo=True, connect_args={"timeout": 30}, json_serializer=_json,
        hide_parameters=True,
    )  # fmt: skip

    @sa.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "reset")
    def _on_reset(connection: Any, record: Any, _state: Any) -> None:
        if record.info.pop("is_repeatable", False):
            connection.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("is_repeatable", False):
            connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
            connection.info["is_repeatable"] = True
        immediate = not connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _make_private(path: Path) -> None:
    """Make the file, for our user alone, if it is not there; SQLite gives its log the same rights.

    One that is there is not opened: to close it again would drop the locks that SQLite has on it in this process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Session makers for both databases; `with databases.control.begin() as session:` commits or rolls back.

    `reading(maker)` gives a session that never waits for a writer.
    """

    control: sessionmaker[Session]
    ingest: sessionmaker[Session]

    @property
    def control_engine(self) -> sa.Engine:
        return _engine(self.control)

    @property
    def ingest_engine(self) -> sa.Engine:
        return _engine(self.ingest)

    def dispose(self) -> None:
        self.control_engine.dispose()
        self.ingest_engine.dispose()


def _engine(maker: sessionmaker[Session]) -> sa.Engine:
    engine = maker.kw["bind"]
    assert isinstance(engine, sa.Engine)
    return engine


def open_databases(database_url: str, ingest_url: str) -> Databases:
    """Open both; on one PostgreSQL database they share an engine."""
    control = open_engine(database_url)
    ingest = control if ingest_url == database_url else open_engine(ingest_url)
    deciding = sessionmaker(control, expire_on_commit=False)
    if control.dialect.name == "postgresql":
        sa.event.listen(deciding, "after_begin", _one_after_the_other)
    return Databases(control=deciding, ingest=sessionmaker(ingest, expire_on_commit=False))


def _one_after_the_other(_session: Session, _transaction: SessionTransaction, connection: sa.Connection) -> None:
    if not connection.get_execution_options().get("read_only", False):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CONTROL_LOCK)))


def repeatable(maker: sessionmaker[Session]) -> Session:
    """Return a session whose commits wait for no disk: after a power cut the last of them may never have been.

    For work that is found undone then and simply done again. A later commit of anybody else makes them durable.
    """
    engine = _engine(maker)
    if engine.dialect.name == "sqlite":
        return maker(bind=engine.execution_options(is_repeatable=True))
    session = maker()
    session.execute(sa.text("SET LOCAL synchronous_commit TO OFF"))
    return session


def reading(maker: sessionmaker[Session]) -> Session:
    """Return a session for reading only, all of it as of one moment. It waits for no writer."""
    engine = _engine(maker)
    return maker(bind=engine.execution_options(**READING[engine.dialect.name]))
