"""Diaries in the database: written in the transaction that writes the summaries they are made of, and read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedback import diaries, diary_counts
from feedback.bulk import Bulk, KnownRows
from feedback.diaries import Entry, HourChange, Place
from feedback.diary_counts import Diaries
from feedback.store_sheets import devices_of
from feedback.tables import DIARIES

ROWS_AT_ONCE: Final = 10_000
_READ: Final = "SELECT month, install, arm, packed FROM diaries WHERE app = ? AND release = ?"


def add(session: Session, entries: Iterable[Entry]) -> list[HourChange]:
    """Write entries into the diaries of their installs; return what changed. Under `lock_sheets`."""
    wanted: dict[Place, list[Entry]] = defaultdict(list)
    for entry in entries:
        wanted[entry.place].append(entry)
    places = sorted(wanted)
    before = _PACKED.read(session, places)
    rows, changes = [], []
    for place in places:
        packed, changed = diaries.changed(before.get(place), wanted[place])
        rows.append(_row(place, packed))
        changes += changed
    _DIARIES.put(session, rows)
    return changes


def read(session: Session, *, app: str, release: str) -> Diaries:
    """Return what both arms of a release told of their hours, with the devices it was told on."""
    connection = session.connection()
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    # Rows of the driver, as for sheets.
    cursor = connection.connection.cursor()
    cursor.execute(_READ.replace("?", mark), (app, release))
    rows = chain.from_iterable(iter(lambda: cursor.fetchmany(ROWS_AT_ONCE), []))
    return diary_counts.gathered(rows, lambda contexts: devices_of(session, contexts))


def rename(session: Session, old: str, new: str) -> None:
    """Give the diaries of an install to another name; what it has under both becomes one. Under `lock_sheets`."""
    theirs = _of_install(session, old)
    there = _PACKED.read(session, [place._replace(install=new) for place in theirs])
    session.execute(sa.delete(DIARIES).where(DIARIES.c.install == old))
    rows = []
    for place, packed in sorted(theirs.items()):
        mine = there.get(place._replace(install=new))
        rows.append(_row(place._replace(install=new), packed if mine is None else diaries.joined(mine, packed)))
    _DIARIES.put(session, rows)


def forget_hours(session: Session, places: Iterable[Place], hour: int) -> int:
    """Take the hours before one of the month out of diaries; return how many diaries that changed.

    Under `lock_sheets`.
    """
    before = _PACKED.read(session, sorted(places))
    after = {key: diaries.since(packed, hour) for key, packed in before.items()}
    changed = [key for key in sorted(before) if after[key] != before[key]]
    _DIARIES.put(session, [_row(Place(*key), kept) for key in changed if (kept := after[key]) is not None])
    gone = [dict(zip(KEY, key, strict=True)) for key in changed if after[key] is None]
    if gone:
        session.connection().execute(_DELETE, gone)
    return len(changed)


def _of_install(session: Session, install: str) -> dict[Place, bytes]:
    rows = session.execute(sa.select(*(DIARIES.c[name] for name in KEY), DIARIES.c.packed).where(
        DIARIES.c.install == install
    ))  # fmt: skip
    return {Place(*key): packed for *key, packed in rows}


def _row(place: Place, packed: bytes) -> dict[str, Any]:
    return {**dict(zip(KEY, place, strict=True)), "packed": packed}


def _replaced(statement: Any) -> Any:
    return statement.on_conflict_do_update(index_elements=[*KEY], set_={"packed": statement.excluded.packed})


KEY: Final = Place._fields
_DELETE: Final = sa.delete(DIARIES).where(*(DIARIES.c[name] == sa.bindparam(name) for name in KEY))
_DIARIES: Final = Bulk(DIARIES, _replaced)
_PACKED: Final = KnownRows(DIARIES, "packed")
