"""Webhooks that others asked for, and every message to them: tables and store.

What is told is the audit log: each entry whose kind a webhook asked for becomes one message, once.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit
from core.db import Control, insert
from core.errors import ConflictError, InvalidInputError, NotFoundError, Problem
from core.ids import new_id
from core.privacy import seal, unseal

State = Literal["waiting", "delivered", "dead"]
UNDELIVERED: Final = ("waiting", "dead")
READ_AT_ONCE: Final = 500
LOST: Final = "its next attempt was never made"
ENDED: Final = "the webhook has ended: its address said 410, gone"


class WebhookRow(Control):
    """Where messages go. `told_to` is the last audit entry that was looked at for it; none are once it has ended."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    url: Mapped[str] = mapped_column(sa.Text)
    events: Mapped[list[str]] = mapped_column(sa.JSON)
    sealed: Mapped[str] = mapped_column(sa.Text)
    told_to: Mapped[int]
    made_by: Mapped[str] = mapped_column(sa.String(64))
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class WebhookMessageRow(Control):
    """One message; (webhook, position) is UNIQUE, so an entry is told once."""

    __tablename__ = "webhook_messages"
    __table_args__ = (sa.UniqueConstraint("webhook", "position"), sa.Index(None, "state", "created_at"))

    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    webhook: Mapped[str] = mapped_column(sa.ForeignKey("webhooks.id", ondelete="CASCADE"))
    position: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    state: Mapped[str] = mapped_column(sa.String(16))
    attempts: Mapped[int]
    last_error: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    id: str
    url: str
    events: tuple[str, ...]
    told_to: int
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMessage:
    id: str
    webhook: str
    body: dict[str, Any]
    state: State
    attempts: int
    last_error: str | None
    created_at: datetime


def check_events(events: Sequence[str]) -> None:
    """Raises: InvalidInputError: some pattern fits no kind of entry in the audit log, or there is none at all."""
    problems = [
        Problem("--events", f"{pattern!r} fits no kind of entry{_meant(pattern)}; docs/operating.md lists them")
        for pattern in events
        if not any(fnmatchcase(kind, pattern) for kind in audit.KINDS)
    ]
    if not events:
        problems.append(Problem("--events", "must name a kind of entry, such as release.*"))
    if problems:
        raise InvalidInputError(*problems)


def add(
    session: Session, *, url: str, events: Sequence[str], secret: str, key: bytes, by: str, now: datetime
) -> Webhook:
    """Keep a webhook; it is told what happens from now on."""
    last = audit.last_position(session)
    row = WebhookRow(
        id=new_id("hook", now), url=url, events=list(events), sealed=seal(secret, key), told_to=last, made_by=by,
        made_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _webhook(row)


def remove(session: Session, webhook: str) -> None:
    """Forget a webhook and what still waits for it. Raises: NotFoundError."""
    row = _row(session, webhook)
    session.execute(sa.delete(WebhookMessageRow).where(WebhookMessageRow.webhook == webhook))
    session.delete(row)
    session.flush()


def end(session: Session, webhook: str, *, now: datetime) -> bool:
    """Tell a webhook nothing more and give up on what waits for it; return whether it had not ended before."""
    waiting = sa.update(WebhookMessageRow).where(
        WebhookMessageRow.webhook == webhook, WebhookMessageRow.state == "waiting"
    )
    session.execute(waiting.values(state="dead", last_error=ENDED, settled_at=now))
    ended = sa.update(WebhookRow).where(WebhookRow.id == webhook, WebhookRow.ended_at.is_(None)).values(ended_at=now)
    return bool(session.execute(ended).rowcount)  # type: ignore[attr-defined]


def resume(session: Session, webhook: str) -> None:
    """Tell a webhook that had ended what happens from now on.

    Raises: NotFoundError; ConflictError: it has not ended."""
    row = _row(session, webhook)
    if row.ended_at is None:
        raise ConflictError(f"{webhook} has not ended; it is told what happens.")
    row.ended_at, row.told_to = None, audit.last_position(session)
    session.flush()


def list_webhooks(session: Session) -> tuple[Webhook, ...]:
    return tuple(_webhook(row) for row in session.scalars(sa.select(WebhookRow).order_by(WebhookRow.made_at)))


def find(session: Session, webhook: str) -> Webhook | None:
    row = session.get(WebhookRow, webhook)
    return _webhook(row) if row else None


def secret_of(session: Session, webhook: str, *, key: bytes) -> str | None:
    """Return what its messages are signed with; None when that was sealed with another key."""
    row = session.get_one(WebhookRow, webhook)
    return unseal(row.sealed, key)


def put_messages(session: Session, webhook: Webhook, *, now: datetime) -> list[str]:
    """Make a message of each new audit entry that the webhook asked for; return their ids."""
    entries = audit.entries_after(session, webhook.told_to, limit=READ_AT_ONCE)
    made: list[str] = []
    for entry in entries:
        if any(fnmatchcase(entry.what, pattern) for pattern in webhook.events):
            made += _put(session, webhook, entry, now)
    if entries:
        session.execute(sa.update(WebhookRow).where(WebhookRow.id == webhook.id).values(told_to=entries[-1].position))
    return made


def find_message(session: Session, message: str) -> WebhookMessage | None:
    row = session.get(WebhookMessageRow, message)
    return _message(row) if row else None


def note(session: Session, message: str, *, state: State, error: str | None, now: datetime) -> None:
    """Note how an attempt ended; what was delivered stays so."""
    wanted = (WebhookMessageRow.id == message, WebhookMessageRow.state != "delivered")
    session.execute(
        sa.update(WebhookMessageRow)
        .where(*wanted)
        .values(
            state=state,
            attempts=WebhookMessageRow.attempts + 1,
            last_error=error,
            settled_at=None if state == "waiting" else now,
        )
    )


def revive(session: Session, name: str, *, now: datetime) -> tuple[WebhookMessage, ...]:
    """Let a message that was given up on, or all those of a webhook, wait again as if made now.

    Raises: NotFoundError; ConflictError: the webhook has ended.
    """
    rows = session.scalars(sa.select(WebhookMessageRow).where(*_dead(name))).all()
    if not rows:
        raise _nothing_dead(name)
    webhook = rows[0].webhook
    if _row(session, webhook).ended_at:
        raise ConflictError(
            f"{webhook} has ended, its address said 410: `muster webhook resume {webhook}` comes first."
        )
    for row in rows:
        row.state, row.settled_at, row.created_at, row.attempts = "waiting", None, now, 0
    session.flush()
    return tuple(_message(row) for row in rows)


def dismiss(session: Session, name: str) -> int:
    """Forget a message that was given up on, or all those of a webhook; return how many. Raises: NotFoundError."""
    gone = int(session.execute(sa.delete(WebhookMessageRow).where(*_dead(name))).rowcount)  # type: ignore[attr-defined]
    if not gone:
        raise _nothing_dead(name)
    return gone


def give_up_on_lost(session: Session, *, made_before: datetime, now: datetime) -> int:
    """Give up on messages that wait though their last attempt must be over: their job broke. Return how many."""
    lost = sa.update(WebhookMessageRow).where(
        WebhookMessageRow.state == "waiting", WebhookMessageRow.created_at < made_before
    )
    gone = session.execute(lost.values(state="dead", last_error=LOST, settled_at=now))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def dead_messages(session: Session, *, limit: int = 50) -> tuple[WebhookMessage, ...]:
    """Return the newest messages that were given up on."""
    query = sa.select(WebhookMessageRow).where(WebhookMessageRow.state == "dead")
    return tuple(
        _message(row) for row in session.scalars(query.order_by(WebhookMessageRow.created_at.desc()).limit(limit))
    )


def undelivered(session: Session) -> dict[str, int]:
    """Return how many messages are waiting and dead."""
    query = sa.select(WebhookMessageRow.state, sa.func.count()).where(WebhookMessageRow.state.in_(UNDELIVERED))
    found = dict.fromkeys(UNDELIVERED, 0)
    for state, n in session.execute(query.group_by(WebhookMessageRow.state)):
        found[state] = n
    return found


def counts(session: Session) -> dict[str, dict[str, int]]:
    """Return by webhook how many messages are in which state."""
    found: dict[str, dict[str, int]] = {}
    query = sa.select(WebhookMessageRow.webhook, WebhookMessageRow.state, sa.func.count())
    for webhook, state, n in session.execute(query.group_by(WebhookMessageRow.webhook, WebhookMessageRow.state)):
        found.setdefault(webhook, {})[state] = n
    return found


def forget(session: Session, state: Literal["delivered", "dead"], *, before: datetime) -> int:
    """Delete messages that were delivered, or given up on, before a moment; return how many."""
    gone = sa.delete(WebhookMessageRow).where(WebhookMessageRow.state == state, WebhookMessageRow.settled_at < before)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]


def _put(session: Session, webhook: Webhook, entry: audit.Entry, now: datetime) -> list[str]:
    body = {
        "type": entry.what,
        "timestamp": entry.at.isoformat().replace("+00:00", "Z"),
        "data": {"subject": entry.subject, "by": entry.who, **entry.facts},
    }
    row = {
        "id": new_id("msg", now), "webhook": webhook.id, "position": entry.position, "body": body, "state": "waiting",
        "attempts": 0, "created_at": now,
    }  # fmt: skip
    new = insert(session, WebhookMessageRow).values(row)
    put = new.on_conflict_do_nothing(index_elements=["webhook", "position"]).returning(WebhookMessageRow.id)
    return list(session.scalars(put))


def _meant(pattern: str) -> str:
    near = difflib.get_close_matches(pattern, sorted(audit.KINDS), n=1)
    return f", did you mean {near[0]}?" if near else ""


def _dead(name: str) -> tuple[sa.ColumnElement[bool], ...]:
    is_named = sa.or_(WebhookMessageRow.id == name, WebhookMessageRow.webhook == name)
    return WebhookMessageRow.state == "dead", is_named


def _nothing_dead(name: str) -> NotFoundError:
    return NotFoundError(f"Nothing of {name} was given up on; `muster webhook dead` shows what was.")


def _row(session: Session, webhook: str) -> WebhookRow:
    row = session.get(WebhookRow, webhook)
    if row is None:
        raise NotFoundError(f"There is no webhook {webhook}; `muster webhook list` shows them.")
    return row


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook(id=row.id, url=row.url, events=tuple(row.events), told_to=row.told_to, ended_at=row.ended_at)


def _message(row: WebhookMessageRow) -> WebhookMessage:
    state: State = "delivered" if row.state == "delivered" else "dead" if row.state == "dead" else "waiting"
    return WebhookMessage(
        id=row.id, webhook=row.webhook, body=row.body, state=state, attempts=row.attempts, last_error=row.last_error,
        created_at=row.created_at,
    )  # fmt: skip
