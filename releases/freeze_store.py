"""The freeze calendar in the database: add, list, remove, and whether now is frozen."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import InvalidInputError, NotFoundError, Problem
from releases import freeze as freezes
from releases.counters import bump
from releases.freeze import Freeze, Frozen
from releases.tables import FreezeRow

REFERENCE = re.compile(r"[fF]?(\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A freeze in the calendar, and who put it there."""

    freeze: Freeze
    added_by: str
    added_at: datetime


def add_freeze(session: Session, rule: str, *, app: str, by: str, now: datetime, reason: str | None = None) -> Freeze:
    """Put a freeze into the calendar; the same rule again returns the one that is there.

    Raises: InvalidInputError: with every mistake.
    """
    read = freezes.parse(rule)
    if freezes.is_over(read, now):
        raise InvalidInputError(Problem("freeze", f"{freezes.text(read)} is past; it would freeze nothing"))
    for kept in list_freezes(session, app=app):
        if freezes.text(kept.freeze) == freezes.text(read):
            return kept.freeze
    number = bump(session, "freeze")
    session.add(FreezeRow(number=number, app=app, rule=freezes.text(read), reason=reason, added_by=by, added_at=now,
                          removed_by=None, removed_at=None))  # fmt: skip
    session.flush()
    return replace(read, name=f"F{number}", reason=reason)


def list_freezes(session: Session, *, app: str) -> tuple[Kept, ...]:
    rows = sa.select(FreezeRow).where(FreezeRow.app == app, FreezeRow.removed_at.is_(None)).order_by(FreezeRow.number)
    return tuple(Kept(freeze=_freeze(row), added_by=row.added_by, added_at=row.added_at)
                 for row in session.scalars(rows))  # fmt: skip


def remove_freeze(session: Session, ref: str, *, app: str, by: str, now: datetime) -> Freeze:
    """Take "F1" out of the calendar. Raises: NotFoundError."""
    number = REFERENCE.fullmatch(ref.strip())
    row = session.get(FreezeRow, int(number[1])) if number else None
    if row is None or row.app != app or row.removed_at is not None:
        raise NotFoundError(f"There is no freeze {ref}; `/muster release freeze list` shows them.")
    row.removed_by, row.removed_at = by, now
    session.flush()
    return _freeze(row)


def frozen(session: Session, *, app: str, now: datetime) -> Frozen | None:
    """Return the freeze that covers now, if any."""
    return freezes.covering((kept.freeze for kept in list_freezes(session, app=app)), now)


def _freeze(row: FreezeRow) -> Freeze:
    return replace(freezes.parse(row.rule), name=f"F{row.number}", reason=row.reason)
