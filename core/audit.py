"""The audit log: who did what to which, append-only, each entry chained to the one before by its hash.

Changing, removing or reordering an entry breaks the chain at that place, and `verify` names it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control

GENESIS = "0" * 64
# Every `what` there may be, for those who ask to be told of some (a test compares them with what is recorded).
KINDS: Final = frozenset({
    "release.proposed", "release.approved_in_part", "release.approved", "release.rejected", "release.cancelled",
    "release.started", "release.advanced", "release.paused", "release.resumed", "release.halted",
    "release.rolled_back", "release.killed", "release.returned", "release.completed", "release.superseded",
    "release.taken_back", "release.cohort_halted", "release.cohort_rolled_back", "release.cohort_resumed",
    "release.kept", "release.decided",
    "ticket.wanted", "ticket.reported", "ticket.opened", "ticket.changed", "ticket.linked", "ticket.muted",
    "ticket.owner",
    "artifact.registered", "artifact.companions", "model.trained", "model.goal", "job.ordered", "job.cancelled",
    "poll.created", "poll.pushed", "poll.started", "poll.stopped", "import.connected",
    "freeze.added", "freeze.removed", "throttle.set", "throttle.lifted",
    "digest.scheduled", "digest.goal", "subscription.put", "subscription.dropped",
    "role.grant", "role.revoke", "webhook.added", "webhook.removed", "webhook.ended", "webhook.resumed", "undone",
})  # fmt: skip


class AuditRow(Control):
    __tablename__ = "audit"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    who: Mapped[str]
    what: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    facts: Mapped[str]
    before: Mapped[str]
    digest: Mapped[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    position: int
    at: datetime
    who: str
    what: str
    subject: str
    facts: Mapping[str, object]


def record(
    session: Session, *, who: str, what: str, subject: str, now: datetime, facts: Mapping[str, object] | None = None
) -> None:
    """Append one entry, `what` being one of KINDS.

    It commits with the caller's transaction, and no other is in between (see core.db).
    """
    session.flush()
    last = session.scalar(sa.select(AuditRow).order_by(AuditRow.position.desc()).limit(1))
    row = AuditRow(
        position=last.position + 1 if last else 1,
        at=now,
        who=who,
        what=what,
        subject=subject,
        facts=json.dumps(facts or {}, sort_keys=True, default=str),
        before=last.digest if last else GENESIS,
    )
    row.digest = _digest(row)
    session.add(row)
    session.flush()


def verify(session: Session) -> str | None:
    """Return None when the whole chain holds, else a sentence that names the first broken entry."""
    before = GENESIS
    query = sa.select(AuditRow).order_by(AuditRow.position).execution_options(yield_per=500)
    # Closed on every way out: on PostgreSQL it is a cursor on the server.
    with closing(session.scalars(query)) as chain:
        for position, row in enumerate(chain, start=1):
            if row.position != position:
                return f"Entry {position} is missing."
            if row.before != before or row.digest != _digest(row):
                return f"Entry {row.position} ({row.what} {row.subject}) was changed after it was written."
            before = row.digest
    return None


def entries(
    session: Session, *, subject: str | None = None, who: str | None = None, limit: int = 50
) -> tuple[Entry, ...]:
    """Return the newest entries first: all, of one subject, or what one person did."""
    query = sa.select(AuditRow).order_by(AuditRow.position.desc()).limit(limit)
    if subject is not None:
        query = query.where(AuditRow.subject == subject)
    if who is not None:
        query = query.where(AuditRow.who == who)
    return tuple(_entry(row) for row in session.scalars(query))


def last_position(session: Session) -> int:
    """Return the position of the newest entry, 0 when there is none."""
    return session.scalar(sa.select(sa.func.max(AuditRow.position))) or 0


def entries_after(session: Session, position: int, *, limit: int) -> tuple[Entry, ...]:
    """Return the entries after a position, the oldest first."""
    query = sa.select(AuditRow).where(AuditRow.position > position).order_by(AuditRow.position).limit(limit)
    return tuple(_entry(row) for row in session.scalars(query))


def _entry(row: AuditRow) -> Entry:
    facts = json.loads(row.facts)
    return Entry(position=row.position, at=row.at, who=row.who, what=row.what, subject=row.subject, facts=facts)


def _digest(row: AuditRow) -> str:
    parts = [str(row.position), row.at.isoformat(), row.who, row.what, row.subject, row.facts, row.before]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
