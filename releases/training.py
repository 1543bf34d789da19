"""Until when the data reach that a version was trained on: told at registration, or later by a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit
from core.db import Control, insert
from core.errors import InvalidInputError, Problem
from releases.artifacts import Artifact, read_artifact


class TrainingRow(Control):
    __tablename__ = "training_data"

    app: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    model: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    version: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    until: Mapped[date] = mapped_column(sa.Date)
    set_by: Mapped[str] = mapped_column(sa.String(64))
    set_at: Mapped[datetime]


def read_day(text: str, today: date) -> date:
    """Return the day of the newest data. Raises: InvalidInputError: it is no day, or has not come yet."""
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInputError(Problem("trained", "must be the day of the newest data, such as 2026-09-01")) from None
    if found > today:
        raise InvalidInputError(Problem("trained", f"{text} is in the future: give the day of the newest data"))
    return found


def read_stated(sha256: str, told: Mapping[str, str], today: date) -> tuple[Artifact, date | None]:
    """Read what a registration states of a file, and until when the data reach that it was trained on.

    Raises: InvalidInputError: with every mistake.
    """
    stated, problems, until = dict(told), list[Problem](), None
    try:
        until = read_day(day, today) if (day := stated.pop("trained", "")) else None
    except InvalidInputError as error:
        problems += error.problems
    try:
        artifact = read_artifact(sha256, stated)
    except InvalidInputError as error:
        raise InvalidInputError(*error.problems, *problems) from error
    if problems:
        raise InvalidInputError(*problems)
    return artifact, until


def note(session: Session, until: date, *, app: str, model: str, version: str, by: str, now: datetime) -> None:
    """Keep the day, and say so in the audit log if it is another than before; twice is harmless."""
    if trained_until(session, app=app, model=model, version=version) == until:
        return
    values = {"until": until, "set_by": by, "set_at": now}
    made = insert(session, TrainingRow).values(app=app, model=model, version=version, **values)
    session.execute(made.on_conflict_do_update(index_elements=["app", "model", "version"], set_=values))
    facts = {"version": version, "until": until.isoformat()}
    audit.record(session, who=by, what="model.trained", subject=model, now=now, facts=facts)


def trained_until(session: Session, *, app: str, model: str, version: str) -> date | None:
    row = session.get(TrainingRow, (app, model, version), populate_existing=True)
    return None if row is None else row.until
