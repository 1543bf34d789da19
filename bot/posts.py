"""What has been posted where, so that a job that runs twice says it once: table and store."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control, insert

EVERYWHERE = "*"
"""The target that stands for all: a digest was handed out to each of them."""


class PostRow(Control):
    """One row a (subject, target): a digest or one news of a release, and where it went; `ts` is Slack's timestamp."""

    __tablename__ = "posts"

    subject: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    target: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    ts: Mapped[str] = mapped_column(sa.String(64))
    posted_at: Mapped[datetime]


def find(session: Session, subject: str, target: str) -> str | None:
    """Return the timestamp of the post, None when it has not been made."""
    row = session.get(PostRow, (subject, target))
    return None if row is None else row.ts


def note(session: Session, subject: str, target: str, *, ts: str, now: datetime) -> None:
    """Note a post; the first one noted stays."""
    new = insert(session, PostRow).values(subject=subject, target=target, ts=ts, posted_at=now)
    session.execute(new.on_conflict_do_nothing(index_elements=["subject", "target"]))
