"""Tables of the bot: what Slack delivered, who may do what, and where the cards are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Control


class DeliveryRow(Control):
    """One thing Slack sent. `key` is Slack's own name for it, so a repeat of it is seen."""

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(255), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    person: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str] = mapped_column(sa.String(255))
    channel: Mapped[str] = mapped_column(sa.String(64))
    thread: Mapped[str | None] = mapped_column(sa.String(64))
    message: Mapped[str | None] = mapped_column(sa.String(64))
    line: Mapped[str] = mapped_column(sa.Text)
    form: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    response_url: Mapped[str | None] = mapped_column(sa.Text)
    received_at: Mapped[datetime] = mapped_column(index=True)
    reply: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    answered_at: Mapped[datetime | None]


class GrantRow(Control):
    """A role that a person has for a model, or for every model (`*`)."""

    __tablename__ = "grants"

    person: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    role: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    model: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    granted_by: Mapped[str] = mapped_column(sa.String(64))
    granted_at: Mapped[datetime]


class CardRow(Control):
    """The message that shows a subject in a channel; `shown` is a hash of what it shows."""

    __tablename__ = "cards"
    __table_args__ = (sa.Index(None, "channel", "ts"),)

    subject: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    channel: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    ts: Mapped[str] = mapped_column(sa.String(64))
    shown: Mapped[str] = mapped_column(sa.String(64))
    updated_at: Mapped[datetime]
