"""Reads that compare a model with itself: installs of the last days against those of the weeks before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.arms import ArmName
from core.device import DeviceContext
from feedback.diary_counts import InstallSums
from feedback.responses import CONTEXT_FIELDS
from feedback.sketches import quantile_bucket
from feedback.tables import ANSWERS, CELLS, CONTEXTS, INFERENCES
from feedback.telemetry import CSAT, HARMS, INSTALL_HOURS, LATENCY_P95

COLUMNS = dict(zip(HARMS, ("crashes", "timeouts", "fell_back", "invalid"), strict=True))


def reported(session: Session, *, app: str, release: str) -> int:
    """Return how many install-hours and ratings of a release there are, from its cells: cheap, however many."""
    cell = CELLS.c
    counted = sa.select(sa.func.sum(cell.n)).where(
        cell.app == app, cell.release == release, cell.metric.in_((INSTALL_HOURS, CSAT))
    )
    return int(session.scalar(counted) or 0)


def period_rows(
    session: Session, *, app: str, model: str, metric: str, before: datetime, since: datetime, until: datetime
) -> tuple[InstallSums, ...]:
    """Return (device, arm, n, total) of each install in [since, until), called candidate, and in [before, since).

    n counts ratings, or install-days. Whatever a release's candidate did is left out: it has a baseline of its own.
    """
    facts = {key: DeviceContext(**dict(zip(CONTEXT_FIELDS, told, strict=True))) for key, *told in _contexts(session)}
    periods: tuple[tuple[ArmName, datetime, datetime], ...] = (("candidate", since, until), ("baseline", before, since))
    edge = _usual_p95(session, app, model, before, since) if metric == LATENCY_P95 else None
    found: list[InstallSums] = []
    for arm, start, end in periods:
        rows = _ratings(app, model, start, end) if metric == CSAT else _days(app, model, metric, start, end, edge)
        for context, _, n, total in session.execute(rows):
            if context in facts:
                found.append((facts[context], arm, float(n), float(total)))
    return tuple(found)


def _contexts(session: Session) -> Any:
    return session.execute(sa.select(CONTEXTS.c.id, *(CONTEXTS.c[field] for field in CONTEXT_FIELDS)))


def _ratings(app: str, model: str, start: datetime, end: datetime) -> Any:
    row = ANSWERS.c
    wanted = [row.app == app, row.model == model, row.at >= start, row.at < end, row.is_primary]
    wanted += [row.value.is_not(None), row.kind.in_(("csat", "rating")), _is_no_candidate(row.arm)]
    total = sa.func.sum(sa.cast(row.value, sa.Integer))
    statement = sa.select(row.context, row.install, sa.func.count(), total).where(*wanted)
    return statement.group_by(row.context, row.install)


def _days(app: str, model: str, metric: str, start: datetime, end: datetime, edge: int | None) -> Any:
    """Count install-days and the harmed ones: the hours of one bad day are one harm."""
    row = INFERENCES.c
    wanted = _heard(app, model, start, end)
    if metric == LATENCY_P95:
        wanted.append(row.latency_p95.is_not(None))
        harmed = sa.case((row.latency_p95 > (edge if edge is not None else 0), 1), else_=0)
    else:
        column = row[COLUMNS[metric]]
        harmed = sa.case((column if metric == "fallback_rate" else column > 0, 1), else_=0)
    day = sa.func.date(row.window_start)
    days = sa.select(row.context, row.install, day.label("day"), sa.func.max(harmed).label("harmed"))
    each = days.where(*wanted).group_by(row.context, row.install, day).subquery().c
    statement = sa.select(each.context, each.install, sa.func.count(), sa.func.sum(each.harmed))
    return statement.group_by(each.context, each.install)


def _usual_p95(session: Session, app: str, model: str, start: datetime, end: datetime) -> int | None:
    row = INFERENCES.c
    wanted = [*_heard(app, model, start, end), row.latency_p95.is_not(None)]
    found = session.execute(sa.select(row.latency_p95, sa.func.count()).where(*wanted).group_by(row.latency_p95))
    return quantile_bucket({row[0]: row[1] for row in found}, 0.95)


def _heard(app: str, model: str, start: datetime, end: datetime) -> list[Any]:
    row = INFERENCES.c
    wanted = [row.app == app, row.model == model, row.window_start >= start, row.window_start < end]
    return [*wanted, row.install.is_not(None), _is_no_candidate(row.arm)]


def _is_no_candidate(arm: Any) -> Any:
    return sa.or_(arm.is_(None), arm != "candidate")
