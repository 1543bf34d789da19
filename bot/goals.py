"""Goals of a model's figures, such as csat>85% and size<4MB: grammar, table and store."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control, insert
from core.errors import InvalidInputError, Problem

# What has a goal, and the unit that its figures are in.
MEASURES: Final[Mapping[str, str]] = {
    "csat": "%", "response_rate": "%", "crashes": "%", "timeouts": "%", "latency_p95": "ms", "size": "MB",
    "accuracy": "%", "battery": "%",
}  # fmt: skip
FACTORS: Final[Mapping[tuple[str, str], float]] = {
    ("%", "%"): 0.01, ("ms", "ms"): 1.0, ("ms", "s"): 1e3, ("MB", "mb"): 1e6, ("MB", "kb"): 1e3, ("MB", "gb"): 1e9,
}  # fmt: skip
NONE: Final = "none"
_GOAL = re.compile(r"([a-z0-9_]+)\s*([<>])=?\s*(\d+(?:\.\d+)?)\s*([a-z%]*)", re.IGNORECASE)


class KpiGoalRow(Control):
    __tablename__ = "kpi_goals"

    app: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    model: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    measure: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(64))
    set_by: Mapped[str] = mapped_column(sa.String(64))
    set_at: Mapped[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiGoal:
    """`limit` is a share of 0..1, milliseconds or bytes; `text` is the goal as people read it."""

    measure: str
    above: bool
    limit: float
    text: str

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.above else value <= self.limit


def parse(words: Sequence[str]) -> tuple[KpiGoal, ...]:
    """Read "csat>85% size<4MB". Raises: InvalidInputError: with all that is wrong."""
    found, problems = [], []
    for word in words:
        goal = read(word)
        if goal is None:
            known = ", ".join(f"{name} in {unit}" for name, unit in MEASURES.items())
            problems.append(Problem(word, f"must read like csat>85% or size<4MB; there are {known}"))
        else:
            found.append(goal)
    if problems:
        raise InvalidInputError(*problems)
    return tuple(found)


def read(word: str) -> KpiGoal | None:
    match = _GOAL.fullmatch(word.strip())
    if match is None or match[1].lower() not in MEASURES:
        return None
    measure, number = match[1].lower(), float(match[3])
    unit = MEASURES[measure]
    factor = FACTORS.get((unit, (match[4] or unit).lower()))
    if factor is None:
        return None
    text = f"{'>' if match[2] == '>' else '<'} {match[3]}\N{NO-BREAK SPACE}{match[4] or unit}"
    return KpiGoal(measure=measure, above=match[2] == ">", limit=number * factor, text=text)


def put(session: Session, app: str, model: str, goal: KpiGoal, *, by: str, now: datetime) -> None:
    values = {"text": "".join(f"{goal.measure}{goal.text}".split()), "set_by": by, "set_at": now}
    new = insert(session, KpiGoalRow).values(app=app, model=model, measure=goal.measure, **values)
    session.execute(new.on_conflict_do_update(index_elements=["app", "model", "measure"], set_=values))


def drop(session: Session, app: str, model: str) -> None:
    session.execute(sa.delete(KpiGoalRow).where(KpiGoalRow.app == app, KpiGoalRow.model == model))


def of_model(session: Session, app: str, model: str) -> dict[str, KpiGoal]:
    row = KpiGoalRow
    query = sa.select(row.text).where(row.app == app, row.model == model).order_by(row.measure)
    found = [read(text) for text in session.scalars(query)]
    return {goal.measure: goal for goal in found if goal is not None}
