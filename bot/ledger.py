"""The privacy ledger: which counts of people were told of a week, with which noise, at what cost. Table and store.

A row is the charge and the answer at once: neither can be there without the other.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from bot.noise import NoiseSource
from core.db import Control
from feedback.noised import Affordable, Budget, Charge, Query, Refused, decide


class NoisedCountRow(Control):
    __tablename__ = "noised_counts"

    app: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    week: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    query: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    epsilon: Mapped[float]
    scale: Mapped[float]
    cells: Mapped[dict[str, int]] = mapped_column(sa.JSON)
    told_at: Mapped[datetime]


def charges(session: Session, *, app: str, week: str) -> tuple[Charge, ...]:
    """Return what was told of a week, the first first."""
    row = NoisedCountRow
    wanted = sa.select(row).where(row.app == app, row.week == week).order_by(row.told_at, row.query)
    return tuple(
        Charge(key=each.query, epsilon=each.epsilon, scale=each.scale, cells=each.cells)
        for each in session.scalars(wanted)
    )


def ask(
    session: Session, query: Query, *, app: str, week: str, budget: Budget, source: NoiseSource, now: datetime
) -> Charge | Refused:
    """Return the query's answer, which is charged in the same transaction; a second time, the same for nothing.

    The session must be one that writes: those to the control database come one after the other (core.db), so that no
    two can spend the same rest of a budget.
    """
    found = decide(query.key, charges(session, app=app, week=week), budget)
    if not isinstance(found, Affordable):
        return found
    told = source.add(tuple(query.cells.values()), bound=query.bound, epsilon=found.epsilon)
    cells = dict(zip(query.cells, told.counts, strict=True))
    session.add(
        NoisedCountRow(
            app=app, week=week, query=query.key, epsilon=found.epsilon, scale=told.scale, cells=cells, told_at=now
        )
    )
    session.flush()
    return Charge(key=query.key, epsilon=found.epsilon, scale=told.scale, cells=cells)
