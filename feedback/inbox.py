"""The inbox: what phones send is stored here first, many rows in one statement, and that is what is acknowledged.

A row is narrow and at the end of its table, so a commit costs little more than its sync; `feedback.fold` brings it into
the other tables afterwards. An item that is known already, here or there, is not stored again.
"""

from __future__ import annotations

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


def put(cursor: Any, dialect: str, letters: Sequence[Letter], *, telling: bool) -> list[bool]:
    """Store those letters that are new with a cursor of the driver; return which were. The same one twice is new once.

    Mostly all are new, and their number says so: asking for each costs a step of the driver for each.
    Raises: SomeAreKnownError: not all were, and `telling` is False.
    """
    # Sorted by their name, so that two transactions never wait for one another in a circle.
    first = {letter[:3]: letter for letter in reversed(letters)}
    rows = [first[name] for name in sorted(first)]
    new: set[Any] = set()
    stored = 0
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        part = rows[start : start + ROWS_A_STATEMENT]
        _insert(cursor, dialect, part, telling=telling)
        if telling:
            new |= {tuple(row) for row in cursor.fetchall()}
        else:
            stored += cursor.rowcount
    if not telling:
        if stored < len(letters):
            raise SomeAreKnownError
        return [True] * len(letters)
    is_new = []
    for letter in letters:
        is_new.append(letter[:3] in new)
        new.discard(letter[:3])
    return is_new


def _insert(cursor: Any, dialect: str, letters: Sequence[Letter], *, telling: bool) -> None:
    if dialect == "sqlite":
        cursor.execute(_sqlite(len(letters), telling), [value for letter in letters for value in letter])
    else:
        columns = [list(column) for column in zip(*letters, strict=True)]
        cursor.execute(_POSTGRES + (_TELLING if telling else ""), columns)


@lru_cache(maxsize=2 * ROWS_A_STATEMENT)
def _sqlite(rows: int, telling: bool) -> str:
    return _SQLITE.format(", ".join(["(?, ?, ?, ?, ?)"] * rows)) + (_TELLING if telling else "")


_TELLING = " RETURNING app, kind, uuid"
_SQLITE = """
INSERT INTO inbox (app, kind, uuid, install, payload)
SELECT column1, column2, column3, column4, column5 FROM (VALUES {})
WHERE NOT EXISTS (SELECT 1 FROM poll_events WHERE column2 = 'event' AND app = column1 AND uuid = column3)
AND NOT EXISTS (SELECT 1 FROM inferences WHERE column2 = 'summary' AND app = column1 AND uuid = column3)
ON CONFLICT DO NOTHING"""
_POSTGRES = """
INSERT INTO inbox (app, kind, uuid, install, payload)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[]) AS one (app, kind, uuid, i, p)
WHERE NOT EXISTS (SELECT 1 FROM poll_events t WHERE one.kind = 'event' AND t.app = one.app AND t.uuid = one.uuid)
AND NOT EXISTS (SELECT 1 FROM inferences t WHERE one.kind = 'summary' AND t.app = one.app AND t.uuid = one.uuid)
ON CONFLICT DO NOTHING"""
