"""The second way to count what looks at a release tell: by Python, from the rows of summaries themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedback.sketches import quantile_bucket
from feedback.tables import CELLS, CONTEXTS, DIARIES, INFERENCES
from feedback.telemetry import HARMS
from tests.feedback.recount import migration

COLUMNS = dict(zip(HARMS, ("crashes", "timeouts", "fell_back", "invalid"), strict=True))
HourKey = tuple[str, str, str, datetime]


def diaries(session: Session) -> list[Any]:
    """Return every diary."""
    return [tuple(row) for row in session.execute(sa.select(DIARIES).order_by(*DIARIES.primary_key.columns))]


def diaries_anew(session: Session) -> list[Any]:
    """Return every diary as the migration makes them of rows; the caller rolls back."""
    session.execute(sa.delete(DIARIES))
    migration("0006_keep_diaries").fill(session.connection())
    return diaries(session)


def cells(session: Session) -> list[Any]:
    return [tuple(row) for row in session.execute(sa.select(CELLS).order_by(*CELLS.primary_key.columns))]


def leaves(session: Session, metric: str) -> Counter[tuple[Any, ...]]:
    """Return in how many install-hours a metric was in each bucket, by context, arm and hour."""
    return Counter((context, arm, at, worst) for (context, arm, _, at), worst in _hours(session, metric).items())


def sums(session: Session, metric: str) -> Counter[tuple[Any, ...]]:
    """Return how many installs had so many hours and so many harmed ones, by context and arm."""
    hours = _hours(session, metric)
    if metric == "latency_p95":
        usual = Counter(worst for (_, arm, _, _), worst in hours.items() if arm == "baseline")
        edge = quantile_bucket(usual, 0.95) or 0
        hours = {key: int(worst > edge) for key, worst in hours.items()}
    each: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for (context, arm, install, _), worst in hours.items():
        each[context, arm, install].append(worst)
    return Counter((context, arm, len(worst), sum(worst)) for (context, arm, _), worst in each.items())


def arrivals(session: Session, version: str) -> Counter[tuple[Any, ...]]:
    """Return how many installs came, by arm, first hour, the context they count on, and whether they are lost."""
    versions = {row.id: row.model_version for row in session.execute(sa.select(CONTEXTS))}
    heard: dict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
    for context, arm, install, at in _hours(session, "crash_rate"):
        heard[arm, install].append((at, context))
    found: Counter[tuple[Any, ...]] = Counter()
    for (arm, _), told in heard.items():
        first, last, context = min(told)[0], max(told)[0], max(each[1] for each in told)
        ran = arm == "baseline" or any(versions[each[1]] in (version, None) for each in told)
        found[arm, first, context, first == last or not ran] += 1
    return found


def seen_since(session: Session, hour: datetime) -> Counter[str]:
    """Return how many installs of each arm told of an hour or a later one."""
    told = {(arm, install) for _, arm, install, at in _hours(session, "crash_rate") if at >= hour}
    return Counter(arm for arm, _ in told)


def _hours(session: Session, metric: str) -> dict[HourKey, int]:
    """Return the worst that was told of each hour, by context, arm and install."""
    hours: dict[HourKey, int] = {}
    told = sa.select(INFERENCES).where(INFERENCES.c.arm.is_not(None), INFERENCES.c.install.is_not(None))
    for row in session.execute(told):
        value = row.latency_p95 if metric == "latency_p95" else int(getattr(row, COLUMNS[metric]) > 0)
        if value is not None:
            key = row.context, row.arm, row.install, row.window_start.replace(minute=0, second=0, microsecond=0)
            hours[key] = max(value, hours.get(key, value))
    return hours
