"""Digests as they were composed, and where each has been posted: table and store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control, UtcMoment, insert
from core.ids import new_id


class DigestRow(Control):
    __tablename__ = "digests"
    __table_args__ = (UniqueConstraint("app", "week"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    app: Mapped[str] = mapped_column(String(100))
    week: Mapped[str] = mapped_column(String(8))
    composed_at: Mapped[datetime] = mapped_column(UtcMoment)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class DigestPostRow(Control):
    """One row a (digest, target): written before the post goes out, completed with Slack's timestamp after."""

    __tablename__ = "digest_posts"

    digest_id: Mapped[str] = mapped_column(ForeignKey("digests.id"), primary_key=True)
    target: Mapped[str] = mapped_column(String(100), primary_key=True)
    message: Mapped[str | None] = mapped_column(String(100))
    posted_at: Mapped[datetime | None] = mapped_column(UtcMoment)


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


def was_posted(session: Session, digest_id: str, target: str) -> bool:
    row = session.get(DigestPostRow, (digest_id, target))
    return row is not None and row.message is not None


def note_post(session: Session, digest_id: str, target: str, *, message: str, now: datetime) -> bool:
    """Note that the digest stands at `target` as `message`; False when another post was noted before."""
    row = {"digest_id": digest_id, "target": target}
    statement = (
        insert(session, DigestPostRow).values(row).on_conflict_do_nothing(index_elements=["digest_id", "target"])
    )
    session.execute(statement)
    noted = session.execute(
        update(DigestPostRow)
        .where(DigestPostRow.digest_id == digest_id, DigestPostRow.target == target, DigestPostRow.message.is_(None))
        .values(message=message, posted_at=now)
        .returning(DigestPostRow.digest_id)
    )
    return noted.first() is not None


def posts_of(session: Session, digest_id: str) -> dict[str, str]:
    """Return where the digest stands: target → channel and timestamp, "C0RELEASES:1763…"."""
    rows = session.scalars(select(DigestPostRow).where(DigestPostRow.digest_id == digest_id))
    return {row.target: row.message for row in rows if row.message is not None}


def _facts(row: DigestRow) -> KeptDigest:
    return KeptDigest(id=row.id, app=row.app, week=row.week, composed_at=row.composed_at, content=row.content)
