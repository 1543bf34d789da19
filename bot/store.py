"""Reading and writing the bot's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.heard import Heard
from bot.tables import CardRow, DeliveryRow, GrantRow
from core.db import insert
from core.engine import enqueue
from core.errors import NotFoundError
from core.ids import new_id

EVERY_MODEL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What Slack sent, and how far we are with answering it."""

    id: str
    heard: Heard
    received_at: datetime
    reply: Mapping[str, Any] | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    person: str
    role: str
    model: str
    granted_by: str
    granted_at: datetime


def accept_delivery(session: Session, heard: Heard, *, now: datetime) -> str | None:
    """Write down what Slack sent and have it answered; return its id, or None when it was here before."""
    delivery = _insert(session, heard, now, answered_at=None)
    if delivery is not None:
        enqueue(session, "hear", key=delivery, delivery=delivery)
    return delivery


def note_delivery(session: Session, heard: Heard, *, now: datetime) -> bool:
    """Write down what is answered at once, such as by opening a form; False when it was here before."""
    return _insert(session, heard, now, answered_at=now) is not None


def _insert(session: Session, heard: Heard, now: datetime, *, answered_at: datetime | None) -> str | None:
    is_open = answered_at is None
    values = {
        "id": new_id("dlv", now),
        "key": heard.key[:255],
        "kind": heard.kind,
        "person": heard.person,
        "name": heard.name[:255],
        "channel": heard.channel,
        "thread": heard.thread,
        "message": heard.message,
        "line": heard.line,
        "form": dict(heard.form) if heard.form is not None and is_open else None,
        "response_url": heard.response_url if is_open else None,
        "received_at": now,
        "answered_at": answered_at,
    }
    query = insert(session, DeliveryRow).values(**values).on_conflict_do_nothing(index_elements=["key"])
    return session.execute(query.returning(DeliveryRow.id)).scalar()


def load_delivery(session: Session, delivery_id: str) -> Delivery:
    row = session.get(DeliveryRow, delivery_id)
    if row is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    heard = Heard(
        key=row.key,
        kind=row.kind,  # type: ignore[arg-type]
        person=row.person,
        name=row.name,
        line=row.line,
        channel=row.channel,
        thread=row.thread,
        message=row.message,
        form=row.form,
        response_url=row.response_url,
    )
    return Delivery(
        id=row.id, heard=heard, received_at=row.received_at, reply=row.reply, answered_at=row.answered_at
    )  # fmt: skip


def save_reply(session: Session, delivery_id: str, reply: Mapping[str, Any]) -> None:
    session.execute(sa.update(DeliveryRow).where(DeliveryRow.id == delivery_id).values(reply=dict(reply)))


def mark_answered(session: Session, delivery_id: str, now: datetime) -> None:
    """The answer is out; what is only needed to give it is forgotten."""
    done = sa.update(DeliveryRow).where(DeliveryRow.id == delivery_id)
    session.execute(done.values(answered_at=now, line="", reply=None, response_url=None, form=None))


def forget_deliveries(session: Session, before: datetime) -> int:
    """Delete what was answered long ago; return how many."""
    old = sa.delete(DeliveryRow).where(DeliveryRow.received_at < before, DeliveryRow.answered_at.is_not(None))
    return len(session.execute(old.returning(DeliveryRow.id)).all())


def grant(session: Session, *, person: str, role: str, model: str, by: str, now: datetime) -> bool:
    """Return False when the person has had it before."""
    values = {"person": person, "role": role, "model": model, "granted_by": by, "granted_at": now}
    query = insert(session, GrantRow).values(**values).on_conflict_do_nothing()
    return session.execute(query.returning(GrantRow.person)).first() is not None


def revoke(session: Session, *, person: str, role: str, model: str) -> bool:
    """Return False when there was nothing to take back."""
    query = sa.delete(GrantRow).where(GrantRow.person == person, GrantRow.role == role, GrantRow.model == model)
    return session.execute(query.returning(GrantRow.person)).first() is not None


def grants(session: Session, *, person: str | None = None) -> tuple[Grant, ...]:
    query = sa.select(GrantRow).order_by(GrantRow.person, GrantRow.role, GrantRow.model)
    if person is not None:
        query = query.where(GrantRow.person == person)
    return tuple(
        Grant(
            person=row.person, role=row.role, model=row.model, granted_by=row.granted_by, granted_at=row.granted_at
        )
        for row in session.scalars(query)
    )  # fmt: skip


def subject_of(session: Session, channel: str, ts: str) -> str | None:
    """Return what the card shows that is this message, or starts this thread; None when it is no card."""
    query = sa.select(CardRow.subject).where(CardRow.channel == channel, CardRow.ts == ts)
    return session.scalars(query).first()
