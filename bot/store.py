"""Reading and writing the bot's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.tables import CardRow, DeliveryRow, GrantRow
from core.db import insert
from core.engine import enqueue
from core.errors import NotFoundError
from core.ids import new_id

Kind = Literal["command", "mention", "message", "click", "form", "home"]
EVERY_MODEL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What Slack sent. With a `response_url` the answer goes there; otherwise into the channel, or to the person."""

    id: str
    key: str
    kind: Kind
    person: str
    name: str
    channel: str
    thread: str | None
    line: str
    form: Mapping[str, str] | None
    response_url: str | None
    received_at: datetime
    reply: Mapping[str, Any] | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    person: str
    role: str
    model: str
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    subject: str
    channel: str
    ts: str
    shown: str
    updated_at: datetime


def accept_delivery(
    session: Session, *, key: str, kind: Kind, person: str, name: str, line: str, now: datetime, channel: str = "",
    thread: str | None = None, form: Mapping[str, str] | None = None, response_url: str | None = None,
) -> str | None:  # fmt: skip
    """Write down what Slack sent and have it heard; return its id, or None when it was here before."""
    values = {
        "id": new_id("dlv", now), "key": key[:255], "kind": kind, "person": person, "name": name[:255],
        "channel": channel, "thread": thread, "line": line, "form": dict(form) if form is not None else None,
        "response_url": response_url, "received_at": now,
    }  # fmt: skip
    query = insert(session, DeliveryRow).values(**values).on_conflict_do_nothing(index_elements=["key"])
    fresh = session.execute(query.returning(DeliveryRow.id)).scalar()
    if fresh is None:
        return None
    enqueue(session, "hear", key=str(fresh), delivery=str(fresh))
    return str(fresh)


def load_delivery(session: Session, delivery_id: str) -> Delivery:
    row = session.get(DeliveryRow, delivery_id)
    if row is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    return Delivery(
        id=row.id, key=row.key, kind=row.kind, person=row.person, name=row.name,  # type: ignore[arg-type]
        channel=row.channel, thread=row.thread, line=row.line, form=row.form, response_url=row.response_url,
        received_at=row.received_at, reply=row.reply, answered_at=row.answered_at,
    )  # fmt: skip


def save_reply(session: Session, delivery_id: str, reply: Mapping[str, Any]) -> None:
    session.execute(sa.update(DeliveryRow).where(DeliveryRow.id == delivery_id).values(reply=dict(reply)))


def mark_answered(session: Session, delivery_id: str, now: datetime) -> None:
    """The answer is out; what is only needed to give it is forgotten."""
    done = sa.update(DeliveryRow).where(DeliveryRow.id == delivery_id)
    session.execute(done.values(answered_at=now, reply=None, response_url=None, form=None))


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


def find_card(session: Session, subject: str, channel: str) -> Card | None:
    row = session.get(CardRow, (subject, channel))
    return None if row is None else _card(row)


def cards(session: Session, subject: str) -> tuple[Card, ...]:
    return tuple(_card(row) for row in session.scalars(sa.select(CardRow).where(CardRow.subject == subject)))


def card_at(session: Session, channel: str, ts: str) -> Card | None:
    """Return the card that is this message, or whose thread it starts."""
    row = session.scalars(sa.select(CardRow).where(CardRow.channel == channel, CardRow.ts == ts)).first()
    return None if row is None else _card(row)


def save_card(session: Session, *, subject: str, channel: str, ts: str, shown: str, now: datetime) -> None:
    values = {"ts": ts, "shown": shown, "updated_at": now}
    query = insert(session, CardRow).values(subject=subject, channel=channel, **values)
    session.execute(query.on_conflict_do_update(index_elements=["subject", "channel"], set_=values))


def drop_card(session: Session, subject: str, channel: str) -> None:
    """The message was deleted in Slack: the next one is posted anew."""
    session.execute(sa.delete(CardRow).where(CardRow.subject == subject, CardRow.channel == channel))


def _card(row: CardRow) -> Card:
    return Card(subject=row.subject, channel=row.channel, ts=row.ts, shown=row.shown, updated_at=row.updated_at)
