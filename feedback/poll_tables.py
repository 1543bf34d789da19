"""Tables of polls and imports, which are decisions of people (Control)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Control


class PollRow(Control):
    """A poll as it is now. `number` is what people type: P3."""

    __tablename__ = "polls"

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    app: Mapped[str] = mapped_column(index=True)
    model: Mapped[str]
    name: Mapped[str]
    version: Mapped[int]
    status: Mapped[str]
    definition: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PollVersionRow(Control):
    """Every version a phone may still answer: it sends the one it had, perhaps weeks later."""

    __tablename__ = "poll_versions"

    poll: Mapped[str] = mapped_column(sa.ForeignKey("polls.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    made_by: Mapped[str]
    made_at: Mapped[datetime]


class ImportRow(Control):
    """Which of our polls another tool's survey leads to. `sealed` is the secret that its webhooks are signed with."""

    __tablename__ = "imports"

    app: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    survey: Mapped[str] = mapped_column(primary_key=True)
    poll: Mapped[str] = mapped_column(sa.ForeignKey("polls.id"))
    mapping: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    sealed: Mapped[str | None]
    made_by: Mapped[str]
    updated_at: Mapped[datetime]
