"""Bulk writes: many rows in one statement of many VALUES, so that the interpreter is given away once and not per row.

A driver lets other threads run whenever it steps, for every row written and for every row returned, and then waits for
its turn again; under load that waiting is most of a commit. The statement is SQLAlchemy's own, compiled once for each
dialect; only its VALUES are repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

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
    pick: Callable[[Row], tuple[Any, ...]]
    width: int
    processors: tuple[tuple[int, Callable[[Any], Any]], ...]

    def parameters(self, rows: Sequence[Row]) -> list[Any]:
        """Return the values of all rows, one after the other, as the driver takes them."""
        flat = list(chain.from_iterable(map(self.pick, rows)))
        for place, process in self.processors:
            column = slice(place, None, self.width)
            flat[column] = [None if value is None else process(value) for value in flat[column]]
        return flat


class Statement(NamedTuple):
    """An INSERT of some rows, ready for the driver."""

    rows: Sequence[Row]
    sql: str
    parameters: tuple[Any, ...]


class Bulk:
    """One INSERT into a table, refined by `build` (on conflict …, returning …)."""

    def __init__(self, table: sa.Table, build: Build) -> None:
        self._table = table
        self._build = build
        self._templates: dict[str, _Template] = {}

    def statements(self, dialect: sa.Dialect, rows: Sequence[Row]) -> list[Statement]:
        """Return what writes rows, each with a value for every column of the table. No database is asked for it."""
        template = self._templates.get(dialect.name)
        if template is None:
            template = self._templates[dialect.name] = self._compile(dialect)
        return [
            Statement(
                part, template.head + ", ".join([template.values] * len(part)) + template.tail,
                tuple(template.parameters(part)),
            )
            for part in _parts(rows)
        ]  # fmt: skip

    def put(self, session: Session, rows: Sequence[Row]) -> None:
        connection = session.connection()
        run(connection, self.statements(connection.dialect, rows))

    def _compile(self, dialect: sa.Dialect) -> _Template:
        # `format` has parameters by position in both dialects' drivers; psycopg's own style names them.
        kind: Any = type(dialect)
        positional = kind(paramstyle="qmark" if dialect.name == "sqlite" else "format")
        values: dict[str, Any] = {column.name: sa.bindparam(column.name) for column in self._table.c}
        compiled = self._build(insert(dialect, self._table).values(values)).compile(dialect=positional)
        head, mark, rest = str(compiled).partition(" VALUES ")
        names = list(compiled.positiontup)
        assert mark
        assert len(names) == len(self._table.c), "parameters outside of VALUES cannot be repeated"
        close = _closing(rest)
        types = {column.name: column.type.dialect_impl(dialect) for column in self._table.c}
        processors = ((place, types[name].bind_processor(dialect)) for place, name in enumerate(names))
        return _Template(
            head=head + mark, values=rest[:close], tail=rest[close:], pick=itemgetter(*names), width=len(names),
            processors=tuple((place, process) for place, process in processors if process is not None),
        )  # fmt: skip


class NewRows:
    """Writes rows that are not there yet, and tells which those were."""

    def __init__(self, table: sa.Table) -> None:
        self._key_of = itemgetter(*(column.name for column in table.primary_key.columns))
        self._silent = Bulk(table, lambda statement: statement.on_conflict_do_nothing())
        self._telling = Bulk(table, lambda s: s.on_conflict_do_nothing().returning(*table.primary_key.columns))

    def statements(self, dialect: sa.Dialect, rows: Sequence[Row]) -> list[Statement]:
        """Return what `run` takes. No two rows may have the same primary key."""
        return self._silent.statements(dialect, rows)

    def run(self, session: Session, statements: Iterable[Statement]) -> set[tuple[Any, ...]]:
        """Return the primary keys of those rows that were new."""
        new: set[tuple[Any, ...]] = set()
        connection = session.connection()
        for statement in statements:
            # Mostly all are new, and their number says so; only else is the database asked which.
            connection.exec_driver_sql("SAVEPOINT rows")
            if connection.exec_driver_sql(statement.sql, statement.parameters).rowcount == len(statement.rows):
                connection.exec_driver_sql("RELEASE SAVEPOINT rows")
                new.update(map(self._key_of, statement.rows))
            else:
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT rows")
                for telling in self._telling.statements(connection.dialect, statement.rows):
                    new.update(map(tuple, connection.exec_driver_sql(telling.sql, telling.parameters)))
        return new

    def put(self, session: Session, rows: Sequence[Row]) -> set[tuple[Any, ...]]:
        return self.run(session, self.statements(session.connection().dialect, rows))


def run(connection: sa.Connection, statements: Iterable[Statement]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement.sql, statement.parameters)


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
