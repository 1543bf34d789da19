"""The inbox: what phones send is stored here first, many rows in one statement, and that is what is acknowledged.

A row is narrow and at the end of its table, so a commit costs little more than its sync; `feedback.fold` brings it into
the other tables afterwards. An item that is known already, here or there, is not stored again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import msgspec

from feedback.responses import PollEvent
from feedback.telemetry import Summary

Kind = Literal["event", "summary"]
Item = PollEvent | Summary
# Few sizes of a statement beyond those of small groups, so that most are prepared already.
ROWS_A_STATEMENT: Final = 500

_encode = msgspec.msgpack.Encoder().encode
_EVENT = msgspec.msgpack.Decoder(PollEvent)
_SUMMARY = msgspec.msgpack.Decoder(Summary)


class Letter(NamedTuple):
    """An item as it waits; `app`, `kind` and `uuid` name it."""

    app: str
    kind: Kind
    uuid: str
    install: str
    payload: bytes


class SomeAreKnownError(Exception):
    """Not all letters were new. Roll back and put them again, `telling` which."""


def pack(item: Item) -> Letter:
    sender = item.sender
    kind: Kind = "event" if isinstance(item, PollEvent) else "summary"
    return Letter(sender.app, kind, item.uuid, sender.install, _encode(item))


def unpack(kind: str, payload: bytes) -> Item:
    """Return the item. Raises: msgspec.DecodeError, msgspec.ValidationError: it is none."""
    return _EVENT.decode(payload) if kind == "event" else _SUMMARY.decode(payload)


def put_new(cursor: Any, letters: Sequence[Letter]) -> list[bool]:
    """Store letters that are all new in a transaction of SQLite; few are one statement, which is a transaction itself.

    Raises: SomeAreKnownError: not all are new, and nothing was stored.
    """
    many = len(letters) > ROWS_A_STATEMENT
    try:
        if many:
            cursor.execute("BEGIN IMMEDIATE")
        for start in range(0, len(letters), ROWS_A_STATEMENT):
            part = letters[start : start + ROWS_A_STATEMENT]
            cursor.execute(_sqlite_new(len(part)), [value for letter in part for value in letter])
        if many:
            cursor.execute("COMMIT")
    except sqlite3.IntegrityError as error:
        cursor.connection.rollback()
        raise SomeAreKnownError from error
    return [True] * len(letters)


def put(cursor: Any, letters: Sequence[Letter]) -> list[bool]:
    """Store those that are new, in a transaction of SQLite; return which were. The same one twice is new once."""
    rows = _sorted(letters)
    new: set[Any] = set()
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        part = rows[start : start + ROWS_A_STATEMENT]
        cursor.execute(_sqlite(len(part)), [value for letter in part for value in letter])
        new |= {tuple(row) for row in cursor.fetchall()}
    return _told(letters, new)


def put_all(connection: Any, letters: Sequence[Letter]) -> list[bool]:
    """Do the same with a connection of psycopg, in a transaction of its own.

    What is in the tables already is taken out again by a second statement, which sees what was committed up to then:
    the first one may have waited for a fold that deletes the very same letter.
    """
    columns = [list(column) for column in zip(*_sorted(letters), strict=True)]
    with connection.transaction():
        put = connection.execute(_PUT, columns)
        known = connection.execute(_TAKE_OUT, columns[:3])
    if put.rowcount == len(letters) and not known.rowcount:
        return [True] * len(letters)
    return _told(letters, {tuple(row) for row in put.fetchall()} - {tuple(row) for row in known.fetchall()})


def _sorted(letters: Sequence[Letter]) -> list[Letter]:
    """Return each letter once, by their names: so two transactions never wait for one another in a circle."""
    first = {letter[:3]: letter for letter in reversed(letters)}
    return [first[name] for name in sorted(first)]


def _told(letters: Sequence[Letter], new: set[Any]) -> list[bool]:
    is_new = []
    for letter in letters:
        is_new.append(letter[:3] in new)
        new.discard(letter[:3])
    return is_new


@lru_cache(maxsize=ROWS_A_STATEMENT)
def _sqlite(rows: int) -> str:
    return _SQLITE.format(_values(rows))


@lru_cache(maxsize=ROWS_A_STATEMENT)
def _sqlite_new(rows: int) -> str:
    return _SQLITE_NEW.format(_values(rows))


def _values(rows: int) -> str:
    return ", ".join(["(?, ?, ?, ?, ?)"] * rows)


_SQLITE = """
INSERT INTO inbox (app, kind, uuid, install, payload)
SELECT column1, column2, column3, column4, column5 FROM (VALUES {})
WHERE NOT EXISTS (SELECT 1 FROM poll_events WHERE column2 = 'event' AND app = column1 AND uuid = column3)
AND NOT EXISTS (SELECT 1 FROM inferences WHERE column2 = 'summary' AND app = column1 AND uuid = column3)
ON CONFLICT DO NOTHING RETURNING app, kind, uuid"""
# No payload for what the tables have: so the inbox refuses the whole statement, as it does for what it has itself.
_SQLITE_NEW = """
INSERT INTO inbox (app, kind, uuid, install, payload)
SELECT column1, column2, column3, column4, CASE
WHEN EXISTS (SELECT 1 FROM poll_events WHERE column2 = 'event' AND app = column1 AND uuid = column3) THEN NULL
WHEN EXISTS (SELECT 1 FROM inferences WHERE column2 = 'summary' AND app = column1 AND uuid = column3) THEN NULL
ELSE column5 END FROM (VALUES {})"""
_PUT = """
INSERT INTO inbox (app, kind, uuid, install, payload)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[])
ON CONFLICT DO NOTHING RETURNING app, kind, uuid"""
# Looked up one by one, in the order of the primary key: whatever the planner thinks of the size of these tables, it may
# neither scan them nor take an index that begins with the app alone.
_TAKE_OUT = """
DELETE FROM inbox USING unnest(%b::text[], %b::text[], %b::text[]) AS one (app, kind, uuid)
WHERE inbox.app = one.app AND inbox.kind = one.kind AND inbox.uuid = one.uuid AND CASE one.kind
WHEN 'event' THEN (SELECT (t.app, t.uuid) = (one.app, one.uuid) FROM poll_events t
WHERE (t.app, t.uuid) >= (one.app, one.uuid) ORDER BY t.app, t.uuid LIMIT 1)
ELSE (SELECT (t.app, t.uuid) = (one.app, one.uuid) FROM inferences t
WHERE (t.app, t.uuid) >= (one.app, one.uuid) ORDER BY t.app, t.uuid LIMIT 1) END
RETURNING one.app, one.kind, one.uuid"""
