"""Digests as they were composed, one a week, for good, and when the next one comes: tables and store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control, UtcMoment, insert
from core.ids import new_id
from core.settings import Settings


class DigestRow(Control):
    __tablename__ = "digests"
    __table_args__ = (UniqueConstraint("app", "week"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    app: Mapped[str] = mapped_column(String(100))
    week: Mapped[str] = mapped_column(String(8))
    composed_at: Mapped[datetime] = mapped_column(UtcMoment)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class DigestScheduleRow(Control):
    """When digests come, as people set it; without a row the setting decides."""

    __tablename__ = "digest_schedules"

    app: Mapped[str] = mapped_column(String(100), primary_key=True)
    schedule: Mapped[str] = mapped_column(String(64))
    set_by: Mapped[str] = mapped_column(String(64))
    set_at: Mapped[datetime] = mapped_column(UtcMoment)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDigest:
    id: str
    app: str
    week: str
    composed_at: datetime
    content: Mapping[str, Any]


def keep(session: Session, *, app: str, week: str, content: Mapping[str, Any], now: datetime) -> KeptDigest:
    """Store the digest of (app, week) and return what is stored: the first one composed wins, for good."""
    row = {"id": new_id("dig", now), "app": app, "week": week, "composed_at": now, "content": dict(content)}
    session.execute(insert(session, DigestRow).values(row).on_conflict_do_nothing(index_elements=["app", "week"]))
    kept = find_week(session, app=app, week=week)
    if kept is None:  # pragma: no cover - the insert above cannot leave nothing behind
        raise LookupError(f"digest {app}/{week} vanished")
    return kept


def find(session: Session, digest_id: str) -> KeptDigest | None:
    row = session.get(DigestRow, digest_id)
    return None if row is None else _facts(row)


def find_week(session: Session, *, app: str, week: str) -> KeptDigest | None:
    row = session.scalars(select(DigestRow).where(DigestRow.app == app, DigestRow.week == week)).one_or_none()
    return None if row is None else _facts(row)


def latest(session: Session, *, app: str) -> KeptDigest | None:
    row = session.scalars(
        select(DigestRow).where(DigestRow.app == app).order_by(DigestRow.week.desc()).limit(1)
    ).first()
    return None if row is None else _facts(row)


def before(session: Session, *, app: str, week: str, limit: int) -> tuple[KeptDigest, ...]:
    """Return the digests of the weeks before, the latest first."""
    earlier = select(DigestRow).where(DigestRow.app == app, DigestRow.week < week)
    return tuple(_facts(row) for row in session.scalars(earlier.order_by(DigestRow.week.desc()).limit(limit)))


def schedule_of(session: Session, settings: Settings) -> str:
    row = session.get(DigestScheduleRow, settings.app, populate_existing=True)
    return settings.digest_schedule if row is None else row.schedule


def put_schedule(session: Session, app: str, schedule: str, *, by: str, now: datetime) -> None:
    values = {"schedule": schedule, "set_by": by, "set_at": now}
    new = insert(session, DigestScheduleRow).values(app=app, **values)
    session.execute(new.on_conflict_do_update(index_elements=["app"], set_=values))


def _facts(row: DigestRow) -> KeptDigest:
    return KeptDigest(id=row.id, app=row.app, week=row.week, composed_at=row.composed_at, content=row.content)
