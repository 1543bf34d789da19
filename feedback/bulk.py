"""Bulk writes: many rows in one statement of many VALUES, so that the interpreter is given away once and not per row.

A driver lets other threads run whenever it steps, for every row written and for every row returned, and then waits for
its turn again; under load that waiting is most of a commit. The statement is SQLAlchemy's own, compiled once for each
dialect; only its VALUES are repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import insert

# SQLite takes 32 766 parameters a statement, PostgreSQL 65 535.
MOST_PARAMETERS = 30_000
KEYS_A_STATEMENT = 500

Build = Callable[[Any], Any]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """An INSERT cut at its VALUES: `head (…), (…) tail`."""

    head: str
    values: str
    tail: str
    columns: tuple[tuple[str, Callable[[Any], Any] | None], ...]


class Bulk:
    """One INSERT into a table, refined by `build` (on conflict …, returning …)."""

    def __init__(self, table: sa.Table, build: Build) -> None:
        self._table = table
        self._build = build
        self._templates: dict[str, _Template] = {}

    def put(self, session: Session, rows: Sequence[Row]) -> None:
        """Write rows, each with a value for every column of the table."""
        for part in _parts(rows):
            self.execute(session.connection(), part)

    def execute(self, connection: sa.Connection, rows: Sequence[Row]) -> sa.CursorResult[Any]:
        """Write some rows in one statement; return its result."""
        template = self._templates.get(connection.dialect.name)
        if template is None:
            template = self._templates[connection.dialect.name] = self._compile(connection)
        parameters: list[Any] = []
        for row in rows:
            for name, processor in template.columns:
                value = row[name]
                parameters.append(value if processor is None or value is None else processor(value))
        sql = template.head + ", ".join([template.values] * len(rows)) + template.tail
        return connection.exec_driver_sql(sql, tuple(parameters))

    def _compile(self, connection: sa.Connection) -> _Template:
        dialect = connection.dialect
        # `format` has parameters by position in both dialects' drivers; psycopg's own style names them.
        kind: Any = type(dialect)
        positional = kind(paramstyle="qmark" if dialect.name == "sqlite" else "format")
        values: dict[str, Any] = {column.name: sa.bindparam(column.name) for column in self._table.c}
        compiled = self._build(insert(connection, self._table).values(values)).compile(dialect=positional)
        head, mark, rest = str(compiled).partition(" VALUES ")
        names = list(compiled.positiontup)
        assert mark
        assert len(names) == len(self._table.c), "parameters outside of VALUES cannot be repeated"
        close = _closing(rest)
        types = {column.name: column.type.dialect_impl(dialect) for column in self._table.c}
        columns = tuple((name, types[name].bind_processor(dialect)) for name in names)
        return _Template(head=head + mark, values=rest[:close], tail=rest[close:], columns=columns)


class NewRows:
    """Writes rows that are not there yet, and tells which those were."""

    def __init__(self, table: sa.Table) -> None:
        self._keys = [column.name for column in table.primary_key.columns]
        self._silent = Bulk(table, lambda statement: statement.on_conflict_do_nothing())
        self._telling = Bulk(table, lambda s: s.on_conflict_do_nothing().returning(*table.primary_key.columns))

    def put(self, session: Session, rows: Sequence[Row]) -> set[tuple[Any, ...]]:
        """Return the primary keys of those rows that were new. No two of them may have the same."""
        new: set[tuple[Any, ...]] = set()
        connection = session.connection()
        for part in _parts(rows):
            # Mostly all are new, and their number says so; only else is the database asked which.
            connection.exec_driver_sql("SAVEPOINT rows")
            if self._silent.execute(connection, part).rowcount == len(part):
                connection.exec_driver_sql("RELEASE SAVEPOINT rows")
                new |= {tuple(row[name] for name in self._keys) for row in part}
            else:
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT rows")
                new |= {tuple(row) for row in self._telling.execute(connection, part)}
        return new


class KnownRows:
    """Reads the rows of some whole primary keys, with one more column."""

    def __init__(self, table: sa.Table, column: str) -> None:
        self._table = table.name
        self._column = column
        self._keys = [each.name for each in table.primary_key.columns]
        self._sql = lru_cache(maxsize=2 * KEYS_A_STATEMENT)(self._select)

    def read(self, session: Session, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        """Return that column of the rows that are there, by key."""
        connection = session.connection()
        found: dict[tuple[Any, ...], Any] = {}
        for start in range(0, len(keys), KEYS_A_STATEMENT):
            part = keys[start : start + KEYS_A_STATEMENT]
            sql = self._sql(connection.dialect.name, len(part))
            rows = connection.exec_driver_sql(sql, tuple(value for key in part for value in key))
            found.update((tuple(key), value) for *key, value in rows)
        return found

    def _select(self, dialect: str, keys: int) -> str:
        mark = "?" if dialect == "sqlite" else "%s"
        values = ", ".join([f"({', '.join([mark] * len(self._keys))})"] * keys)
        same = " AND ".join(f"{self._table}.{name} = wanted.{name}" for name in self._keys)
        names = ", ".join(self._keys)
        told = ", ".join(f"{self._table}.{name}" for name in (*self._keys, self._column))
        # SQLite reads the table on the left of a CROSS JOIN first, and does not use the key for IN (VALUES …).
        return (
            f"WITH wanted ({names}) AS (VALUES {values})"  # noqa: S608 (names of columns only)
            f" SELECT {told} FROM wanted CROSS JOIN {self._table} WHERE {same}"
        )


def _parts(rows: Sequence[Row]) -> list[Sequence[Row]]:
    most = MOST_PARAMETERS // len(rows[0]) if rows else 1
    return [rows[start : start + most] for start in range(0, len(rows), most)]


def _closing(text: str) -> int:
    """Return the place after the bracket that closes the first one."""
    depth = 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return place + 1
    raise ValueError("a bracket is never closed")
