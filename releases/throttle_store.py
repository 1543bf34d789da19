"""Throttles in the database: set, list, lift. Each moves the catalog on, so phones hear of it within seconds."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import segments
from core.errors import NotFoundError
from releases.counters import bump
from releases.tables import ThrottleRow
from releases.throttles import STRICTNESS, Throttle

REFERENCE = re.compile(r"[tT]?(\d{1,9})")


def set_throttle(session: Session, throttle: Throttle, *, app: str, model: str, by: str, now: datetime) -> Throttle:
    """Set a throttle; for the same devices of the model it takes the place of the one before."""
    for kept in throttles_of(session, app=app, model=model):
        if kept.segment == throttle.segment and kept.name:
            lift_throttle(session, kept.name, app=app, by=by, now=now)
    number = bump(session, "throttle")
    session.add(
        ThrottleRow(
            number=number, app=app, model=model, segment=segments.to_json(throttle.segment),
            per_minute=throttle.per_minute, runs=throttle.runs, reason=throttle.reason, set_by=by, set_at=now,
            lifted_by=None, lifted_at=None,
        )
    )  # fmt: skip
    bump(session, "catalog")
    return replace(throttle, name=f"T{number}")


def lift_throttle(session: Session, ref: str, *, app: str, by: str, now: datetime) -> tuple[str, Throttle]:
    """Lift "T1"; return the model it was set on and what it was. Raises: NotFoundError."""
    number = REFERENCE.fullmatch(ref.strip())
    row = session.get(ThrottleRow, int(number[1])) if number else None
    if row is None or row.app != app or row.lifted_at is not None:
        raise NotFoundError(f"There is no throttle {ref}; `/muster release throttle MODEL` shows them.")
    row.lifted_by, row.lifted_at = by, now
    bump(session, "catalog")
    return row.model, _throttle(row)


def throttles_of(session: Session, *, app: str, model: str) -> tuple[Throttle, ...]:
    return tuple(throttle for _, each, throttle in all_throttles(session, app=app) if each == model)


def all_throttles(session: Session, *, app: str | None = None) -> tuple[tuple[str, str, Throttle], ...]:
    """Return (app, model, throttle) of every one that holds."""
    rows = sa.select(ThrottleRow).where(ThrottleRow.lifted_at.is_(None)).order_by(ThrottleRow.number)
    if app is not None:
        rows = rows.where(ThrottleRow.app == app)
    return tuple((row.app, row.model, _throttle(row)) for row in session.scalars(rows))


def _throttle(row: ThrottleRow) -> Throttle:
    runs = next(word for word in STRICTNESS if word == row.runs)
    return Throttle(segment=segments.from_json(row.segment), per_minute=row.per_minute, runs=runs,
                    name=f"T{row.number}", reason=row.reason)  # fmt: skip
