"""The drifts that were found, one row a cohort and measure, and the goals that models are to meet: tables and store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control, insert


class DriftRow(Control):
    __tablename__ = "drifts"

    app: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    model: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    measure: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    cohort: Mapped[str] = mapped_column(sa.String(400), primary_key=True)
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    alarmed_at: Mapped[datetime | None]


class GoalRow(Control):
    """How old a model, and the newest of its training data, may become: in days."""

    __tablename__ = "model_goals"

    app: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    model: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    age_days: Mapped[int | None]
    data_days: Mapped[int | None]
    set_by: Mapped[str] = mapped_column(sa.String(64))
    set_at: Mapped[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFacts:
    """See feedback.drift.Drift. `now` and `usual` are the shares of the commonest outcomes, for a chart."""

    psi: float
    p: float
    n: int
    outcome: str
    before: float
    after: float
    shares: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDrift:
    app: str
    model: str
    measure: str
    cohort: str
    facts: DriftFacts
    first_seen: datetime
    last_seen: datetime
    gone_at: datetime | None = None
    alarmed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """In days; None: no goal."""

    age_days: int | None = None
    data_days: int | None = None


def keep(session: Session, found: FoundDrift, *, now: datetime) -> None:
    """Write down what a night found. A drift that had gone and comes back is a new one."""
    key = {name: getattr(found, name) for name in ("app", "model", "measure", "cohort")}
    before = session.get(DriftRow, tuple(key.values()), populate_existing=True)
    is_old = before is not None and before.gone_at is None
    first = {"first_seen": before.first_seen, "alarmed_at": before.alarmed_at} if before and is_old else (
        {"first_seen": now, "alarmed_at": None}
    )  # fmt: skip
    values = {"facts": msgspec.to_builtins(found.facts), "last_seen": now, "gone_at": None, **first}
    made = insert(session, DriftRow).values(**key, **values)
    session.execute(made.on_conflict_do_update(index_elements=list(key), set_=values))


def settle(session: Session, *, app: str, model: str, still: Sequence[tuple[str, str]], now: datetime) -> None:
    """Note which of those that stood are gone; `still` are (measure, cohort) of those that were found again."""
    for each in standing(session, app=app, model=model):
        if (each.measure, each.cohort) not in still:
            session.execute(_of(each).values(gone_at=now))


def standing(session: Session, *, app: str, model: str | None = None) -> tuple[FoundDrift, ...]:
    """Return the drifts that the last night found, the largest first."""
    query = sa.select(DriftRow).where(DriftRow.app == app, DriftRow.gone_at.is_(None))
    if model is not None:
        query = query.where(DriftRow.model == model)
    found = [_found(row) for row in session.scalars(query.execution_options(populate_existing=True))]
    return tuple(sorted(found, key=lambda each: (-each.facts.psi, each.measure, each.cohort)))


def alarms_since(session: Session, *, app: str, since: datetime) -> int:
    query = sa.select(sa.func.count()).where(DriftRow.app == app, DriftRow.alarmed_at >= since)
    return int(session.scalar(query) or 0)


def alarmed(session: Session, found: FoundDrift, *, now: datetime) -> None:
    session.execute(_of(found).values(alarmed_at=now))


def _of(found: FoundDrift) -> Any:
    return sa.update(DriftRow).where(
        DriftRow.app == found.app, DriftRow.model == found.model,
        DriftRow.measure == found.measure, DriftRow.cohort == found.cohort,
    )  # fmt: skip


def set_goal(session: Session, goal: Goal, *, app: str, model: str, by: str, now: datetime) -> Goal:
    """Set the goals that are given and leave the others; return both."""
    before = goal_of(session, app=app, model=model)
    age = before.age_days if goal.age_days is None else goal.age_days
    data = before.data_days if goal.data_days is None else goal.data_days
    values = {"age_days": age, "data_days": data, "set_by": by, "set_at": now}
    made = insert(session, GoalRow).values(app=app, model=model, **values)
    session.execute(made.on_conflict_do_update(index_elements=["app", "model"], set_=values))
    return Goal(age_days=age, data_days=data)


def goal_of(session: Session, *, app: str, model: str) -> Goal:
    row = session.get(GoalRow, (app, model), populate_existing=True)
    return Goal() if row is None else Goal(age_days=row.age_days, data_days=row.data_days)


def _found(row: DriftRow) -> FoundDrift:
    return FoundDrift(
        app=row.app, model=row.model, measure=row.measure, cohort=row.cohort,
        facts=msgspec.convert(row.facts, type=DriftFacts), first_seen=row.first_seen, last_seen=row.last_seen,
        gone_at=row.gone_at, alarmed_at=row.alarmed_at,
    )  # fmt: skip
