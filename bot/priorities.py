"""Lists of priorities as they were asked for, so that a link shows what was shown: table and store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control
from core.ids import new_id

KEPT: Final = 200


class PriorityListRow(Control):
    __tablename__ = "priority_lists"
    __table_args__ = (sa.Index("ix_priority_lists_app", "app", "composed_at"),)

    id: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    app: Mapped[str] = mapped_column(sa.String(64))
    model: Mapped[str | None] = mapped_column(sa.String(128))
    composed_at: Mapped[datetime]
    lines: Mapped[list[Any]] = mapped_column(sa.JSON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing to look at. `weight` is reach × severity: people for whom it is as bad as a crash.

    `course` are the numbers at the last looks, the newest last; `line` is the command that tells more.
    """

    kind: Literal["regression", "theme"]
    model: str
    title: str
    detail: str
    reach: int
    severity: float
    weight: float
    trend: str
    release: str | None = None
    ticket: str | None = None
    url: str | None = None
    line: str | None = None
    ticket_line: str | None = None
    course: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityList:
    """`model` is None when it is about all of them. `id` is empty before it is kept."""

    id: str
    app: str
    model: str | None
    composed_at: datetime
    lines: tuple[Line, ...]


def keep(session: Session, made: PriorityList) -> PriorityList:
    """Store a list under a new id, and forget the oldest beyond 200."""
    row = PriorityListRow(
        id=new_id("pri", made.composed_at), app=made.app, model=made.model, composed_at=made.composed_at,
        lines=msgspec.to_builtins(list(made.lines)),
    )  # fmt: skip
    session.add(row)
    session.flush()
    newest = (
        sa.select(PriorityListRow.id)
        .where(PriorityListRow.app == made.app)
        .order_by(PriorityListRow.composed_at.desc(), PriorityListRow.id.desc())
    )
    old = session.scalars(newest.offset(KEPT)).all()
    if old:
        session.execute(sa.delete(PriorityListRow).where(PriorityListRow.id.in_(old)))
    return _made(row)


def find(session: Session, list_id: str) -> PriorityList | None:
    row = session.get(PriorityListRow, list_id)
    return None if row is None else _made(row)


def _made(row: PriorityListRow) -> PriorityList:
    return PriorityList(
        id=row.id, app=row.app, model=row.model, composed_at=row.composed_at,
        lines=msgspec.convert(row.lines, type=tuple[Line, ...]),
    )  # fmt: skip
