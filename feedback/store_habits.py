"""What a version of a model usually does, counted by the database: what a release of the next one is forecast from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.device import DeviceContext
from feedback.responses import CONTEXT_FIELDS
from feedback.tables import ANSWERS, CONTEXTS, INFERENCES, INSTALLS
from feedback.telemetry import HARMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """One version in a period; `days` lie between the first report and the last, one at least. `windows` are reports of
    an install's window (an hour, as a rule), `harmed` how many of them had such a harm, `p95` how many had their p95 in
    which bucket (log2x4). `ratings`: how many gave which."""

    installs: int
    days: float
    windows: int
    harmed: Mapping[str, int]
    p95: Mapping[int, int]
    ratings: Mapping[int, int]


def devices_seen(session: Session, *, app: str, since: datetime) -> tuple[tuple[DeviceContext, int], ...]:
    """Return the kinds of device heard of since then, and how many installs were last on each."""
    facts = [CONTEXTS.c[field] for field in CONTEXT_FIELDS]
    source = INSTALLS.join(CONTEXTS, CONTEXTS.c.id == INSTALLS.c.context)
    counted = sa.select(sa.func.count(), *facts).select_from(source).group_by(CONTEXTS.c.id, *facts)
    rows = session.execute(counted.where(INSTALLS.c.app == app, INSTALLS.c.last_seen >= since).order_by(CONTEXTS.c.id))
    return tuple((DeviceContext(**dict(zip(CONTEXT_FIELDS, values, strict=True))), n) for n, *values in rows)


def habits(session: Session, *, app: str, model: str, version: str, since: datetime) -> Habits:
    """Return what installs with this version did since then."""
    row = INFERENCES.c
    on_version = sa.select(CONTEXTS.c.id).where(CONTEXTS.c.model_version == version)
    wanted = [row.app == app, row.model == model, row.window_start >= since, row.install.is_not(None)]
    wanted.append(row.context.in_(on_version))
    harms = (row.crashes > 0, row.timeouts > 0, row.fell_back, row.invalid > 0)
    harmed = [sa.func.sum(sa.case((harm, 1), else_=0)) for harm in harms]
    span = (sa.func.min(row.window_start), sa.func.max(row.window_start))
    totals = sa.select(sa.func.count(sa.distinct(row.install)), sa.func.count(), *span, *harmed)
    installs, windows, first, last, *counts = session.execute(totals.where(*wanted)).one()
    by_p95 = sa.select(row.latency_p95, sa.func.count()).where(*wanted, row.latency_p95.is_not(None))
    return Habits(
        installs=installs, windows=windows, days=max(1.0, (last - first) / timedelta(days=1)) if windows else 1.0,
        harmed=dict(zip(HARMS, (int(n or 0) for n in counts), strict=True)),
        p95=_counts(session, by_p95.group_by(row.latency_p95)),
        ratings=_ratings(session, app, model, on_version, since),
    )  # fmt: skip


def _ratings(session: Session, app: str, model: str, on_version: Any, since: datetime) -> dict[int, int]:
    row = ANSWERS.c
    wanted = [row.app == app, row.model == model, row.at >= since, row.context.in_(on_version), row.is_primary]
    wanted += [row.value.is_not(None), row.kind.in_(("csat", "rating"))]
    value = sa.cast(row.value, sa.Integer)
    return _counts(session, sa.select(value, sa.func.count()).where(*wanted).group_by(value))


def _counts(session: Session, statement: Any) -> dict[int, int]:
    return {int(value): int(n) for value, n in session.execute(statement)}
