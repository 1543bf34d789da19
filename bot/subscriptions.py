"""Which channel hears what of which model: table and store.

What is told is the audit log: each entry after `told_to` that fits becomes one message, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, segments
from core.db import Control, insert
from core.segments import All, Is, Segment

Topic = Literal["releases", "regressions", "digests"]
Mode = Literal["thread", "broadcast"]
TOPICS: Final[tuple[Topic, ...]] = get_args(Topic)
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
EVERY_MODEL: Final = "*"


class SubscriptionRow(Control):
    __tablename__ = "subscriptions"

    app: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    channel: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    model: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    topic: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    mode: Mapped[str] = mapped_column(sa.String(16))
    where: Mapped[str] = mapped_column(sa.Text)
    told_to: Mapped[int]
    made_by: Mapped[str] = mapped_column(sa.String(64))
    made_at: Mapped[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """`model` "*" is every model, `where` a segment as text, empty for everybody."""

    channel: str
    model: str
    topic: Topic
    mode: Mode = "broadcast"
    where: str = ""
    told_to: int = 0
    made_by: str = ""


def put(session: Session, app: str, wanted: Subscription, *, now: datetime) -> None:
    """Subscribe from now on; again changes mode and filter."""
    values = {"mode": wanted.mode, "where": wanted.where, "made_by": wanted.made_by, "made_at": now}
    key = {"app": app, "channel": wanted.channel, "model": wanted.model, "topic": wanted.topic}
    new = insert(session, SubscriptionRow).values(**key, **values, told_to=audit.last_position(session))
    session.execute(new.on_conflict_do_update(index_elements=[*key], set_=values))


def drop(session: Session, app: str, channel: str, model: str, topics: tuple[Topic, ...]) -> tuple[Topic, ...]:
    """Return which of them there were."""
    row = SubscriptionRow
    gone = sa.delete(row).where(
        row.app == app, row.channel == channel, row.model == model, row.topic.in_(topics)
    )  # fmt: skip
    return tuple(msgspec.convert(topic, type=Topic) for topic in session.scalars(gone.returning(row.topic)))


def listed(session: Session, app: str, *, channel: str | None = None) -> tuple[Subscription, ...]:
    row = SubscriptionRow
    query = sa.select(row).where(row.app == app).order_by(row.channel, row.model, row.topic)
    if channel is not None:
        query = query.where(row.channel == channel)
    return tuple(_facts(each) for each in session.scalars(query))


def note_told(session: Session, app: str, subscription: Subscription, position: int) -> None:
    row = SubscriptionRow
    mine = (
        row.app == app, row.channel == subscription.channel, row.model == subscription.model,
        row.topic == subscription.topic,
    )  # fmt: skip
    session.execute(sa.update(row).where(*mine, row.told_to < position).values(told_to=position))


def may_meet(cohort: str, where: str) -> bool:
    """Tell whether a device could be in both: False only when a field that both fix has no value in common."""
    first, second = _fixed(segments.parse(cohort)), _fixed(segments.parse(where))
    return all(first[field] & second[field] for field in first.keys() & second.keys())


def _fixed(segment: Segment) -> dict[str, frozenset[str]]:
    """Return the values that a conjunction leaves each field, in lower case."""
    match segment:
        case Is(field, "eq" | "in", values):
            return {field: frozenset(value.casefold() for value in values)}
        case All(parts):
            found: dict[str, frozenset[str]] = {}
            for name, left in (each for part in parts for each in _fixed(part).items()):
                found[name] = found[name] & left if name in found else left
            return found
        case _:
            return {}


def _facts(row: SubscriptionRow) -> Subscription:
    return Subscription(
        channel=row.channel,
        model=row.model,
        topic=msgspec.convert(row.topic, type=Topic),
        mode=msgspec.convert(row.mode, type=Mode),
        where=row.where,
        told_to=row.told_to,
        made_by=row.made_by,
    )
