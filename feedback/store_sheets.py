"""Sheets in the database: changed in the transaction that changes the events and answers they are made of, and read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import among
from core.device import DeviceContext
from feedback import sheets
from feedback.bulk import Bulk, KnownRows
from feedback.responses import CONTEXT_FIELDS
from feedback.sheet_counts import Sheets, gathered
from feedback.sheets import AnswerTold, Entry, Place
from feedback.tables import ANSWERS, CONTEXTS, POLL_EVENTS, SHEETS

SHEETS_LOCK: Final = 0x6D757377
ROWS_AT_ONCE: Final = 10_000
_READ: Final = "SELECT context, install, packed FROM sheets WHERE app = ? AND model = ? AND month BETWEEN ? AND ?"
# One after the other: SQLite reads the whole table for a key of several columns that is among some.
_DELETE: Final = sa.delete(SHEETS).where(*(SHEETS.c[name] == sa.bindparam(name) for name in Place._fields))
_ANSWER_OF: Final = itemgetter(*AnswerTold._fields)
_EVENT: Final = ("app", "model", "at", "poll", "context", "install", "submission", "kind")
_ANSWER: Final = (*_EVENT, "question", "is_primary", "value", "mechanism", "epsilon")


def lock_sheets(session: Session) -> None:
    """Let one transaction at a time change sheets; on SQLite whoever writes is alone already.

    It is taken before rows of any other table are locked, so that two never wait for one another.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(SHEETS_LOCK)))


def change(session: Session, *, added: Iterable[Entry] = (), removed: Iterable[Entry] = ()) -> None:
    """Put entries in and take others out. Under `lock_sheets`."""
    changes: dict[Place, dict[tuple[str, bytes], int]] = defaultdict(lambda: defaultdict(int))
    for sign, entries in ((1, added), (-1, removed)):
        for entry in entries:
            changes[entry.place][entry.told, entry.record] += sign
    places = sorted(place for place, mine in changes.items() if any(mine.values()))
    before = _PACKED.read(session, places)
    after = {place: sheets.changed(before.get(place), changes[place]) for place in places}
    _SHEETS.put(session, [place._asdict() | {"packed": packed} for place, packed in after.items() if packed])
    gone = [place._asdict() for place, packed in after.items() if packed is None and place in before]
    if gone:
        session.connection().execute(_DELETE, gone)


def of_event(row: Any) -> Entry:
    """Return the entry that a poll event makes, from its columns."""
    return sheets.of_event(_place(row), row["kind"], at=row["at"], submission=row["submission"])


def of_answer(row: Any) -> Entry | None:
    """Return the entry that an answer makes, from its columns; None for one that cannot be counted, as a text."""
    if row["value"] is None:
        return None
    answer = AnswerTold(*_ANSWER_OF(row))
    return sheets.of_answer(_place(row), answer, at=row["at"], submission=row["submission"])


def of_install(session: Session, install: str, *, app: str | None = None) -> list[Entry]:
    """Return the entries that all rows of an install make."""
    found: list[Entry] = []
    for table, columns in ((POLL_EVENTS, _EVENT), (ANSWERS, _ANSWER)):
        its = [table.c.install == install, *([] if app is None else [table.c.app == app])]
        rows = session.execute(sa.select(*(table.c[name] for name in columns)).where(*its)).mappings()
        found += entries(table, rows)
    return found


def entries(table: sa.Table, rows: Iterable[Any]) -> list[Entry]:
    """Return the entries that rows of poll events or answers make; one that was erased makes none."""
    if table is ANSWERS:
        return [entry for row in rows if (entry := of_answer(row)) is not None]
    return [of_event(row) for row in rows if row["install"] is not None]


def read(session: Session, *, app: str, model: str, since: datetime, until: datetime, poll: str | None) -> Sheets:
    """Return what was told of a model (and one poll of it) in [since, until), with the devices it was told on."""
    months = sheets.month_of(since), sheets.month_of(until - timedelta(microseconds=1))
    connection = session.connection()
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    # Rows of the driver: those of SQLAlchemy take longer to make than all the rest.
    cursor = connection.connection.cursor()
    cursor.execute(
        _READ.replace("?", mark) + (f" AND poll = {mark}" if poll else ""), (app, model, *months, *filter(None, [poll]))
    )
    rows = chain.from_iterable(iter(lambda: cursor.fetchmany(ROWS_AT_ONCE), []))
    return gathered(rows, since=since, until=until, devices=lambda contexts: devices_of(session, contexts))


def devices_of(session: Session, contexts: Sequence[str]) -> tuple[DeviceContext, ...]:
    """Return the devices that contexts stand for, in the same order."""
    facts = sa.select(CONTEXTS.c.id, *(CONTEXTS.c[field] for field in CONTEXT_FIELDS))
    rows = session.execute(facts.where(among(session, CONTEXTS.c.id, contexts)))
    found = {key: told for key, *told in rows}
    return tuple(DeviceContext(**dict(zip(CONTEXT_FIELDS, found[key], strict=True))) for key in contexts)


def _place(row: Any) -> Place:
    return Place(row["app"], row["model"], sheets.month_of(row["at"]), row["poll"], row["context"], row["install"])


def _replaced(statement: Any) -> Any:
    return statement.on_conflict_do_update(index_elements=[*Place._fields], set_={"packed": statement.excluded.packed})


_SHEETS: Final = Bulk(SHEETS, _replaced)
_PACKED: Final = KnownRows(SHEETS, "packed")
