"""The table of jobs, on the control database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Control


class JobRow(Control):
    """One order to optimize a model, or to compare two: J7. Files are named by their SHA-256.

    `parent` is what is made smaller or compared with, `other` the file that is compared. `delivery` is the message that
    asked for it, so that a message which is answered twice orders once.
    """

    __tablename__ = "optimize_jobs"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    app: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    model: Mapped[str]
    version: Mapped[str]
    variant: Mapped[str]
    parent: Mapped[str] = mapped_column(sa.String(64))
    other: Mapped[str | None] = mapped_column(sa.String(64))
    other_version: Mapped[str | None]
    evaluation: Mapped[str | None] = mapped_column(sa.String(64))
    calibration: Mapped[str | None] = mapped_column(sa.String(64))
    script: Mapped[str | None] = mapped_column(sa.String(64))
    recipe: Mapped[str]
    budget: Mapped[str]
    runtime: Mapped[str | None]
    most_cpu_s: Mapped[float]
    asked_by: Mapped[str]
    delivery: Mapped[str | None] = mapped_column(unique=True)
    channel: Mapped[str | None]
    thread: Mapped[str | None]
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None]
    progress: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    result: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    registered_as: Mapped[str | None]
