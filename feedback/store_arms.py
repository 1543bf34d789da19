"""Reads for releases: the cells guardrails are fed with, and where a metric got worse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.device import WIRE_NAMES, DeviceContext
from core.errors import InvalidInputError, Problem
from feedback.responses import CONTEXT_FIELDS, Arm
from feedback.sketches import quantile_bucket
from feedback.tables import ANSWERS, CELLS, CONTEXTS, INFERENCES
from feedback.telemetry import CSAT, HARMS, INSTALL_HOURS, LATENCY, LATENCY_P95, METRICS, hour_of

COLUMNS = dict(zip(HARMS, ("crashes", "timeouts", "fell_back", "invalid"), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCell:
    """One hour and stratum of one arm.

    Rates: `n` install-hours, `total` of them harmed. `latency_p95`: harmed is an own p95 above the baseline's p95 of
    the hours before, so the first hour has none; `buckets` counts install-hours by the log2x4 bucket of their p95.
    `csat`: `n` ratings, their sum and sum of squares, and how many gave which in `buckets`.
    `latency` (for showing, no guardrail): `buckets` counts inferences.
    """

    hour: datetime
    stratum: str
    arm: Arm
    metric: str
    n: int
    total: int
    total_sq: int
    buckets: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortArm:
    """One cohort of one arm over the whole release: `n` install-hours and harms, or `n` ratings and their sum."""

    attribute: str
    value: str
    arm: Arm
    n: int
    total: int
    installs: int


def arm_cells(session: Session, *, app: str, release: str, since: datetime | None = None) -> tuple[ArmCell, ...]:
    """Return all cells of a release from the hour of `since` on, by hour, stratum, arm and metric."""
    cell = CELLS
    statement = sa.select(cell).where(cell.c.app == app, cell.c.release == release).order_by(*cell.primary_key.columns)
    grouped: dict[tuple[datetime, str, Arm], dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in session.execute(statement):
        grouped[row.hour, row.stratum, row.arm][row.metric].append(row)
    edges = _edges(grouped)
    first = hour_of(since) if since else None
    return tuple(
        cell
        for key, metrics in sorted(grouped.items())
        if first is None or key[0] >= first
        for cell in _cells(key, metrics, edges.get(key[0]))
    )


def arm_cohort_cells(
    session: Session, *, app: str, release: str, metric: str, latency_edge: int | None = None
) -> tuple[CohortArm, ...]:
    """Return both arms of every cohort of one attribute, to find where a metric got worse.

    `latency_edge`: the log2x4 bucket above which an install-hour's p95 is a harm; by default the baseline's own p95.
    Raises: InvalidInputError: there is no such metric.
    """
    rows = _rows(session, app, release, metric, latency_edge)
    return _by_cohort(rows, devices_of(session, {row[0] for row in rows}))


def arm_rows(
    session: Session, *, app: str, release: str, metric: str, latency_edge: int | None = None
) -> tuple[tuple[DeviceContext, Arm, float, float], ...]:
    """Return (device, arm, n, total) of each install, as `feedback.regressions.tally` takes them.

    Raises: InvalidInputError: there is no such metric.
    """
    rows = _rows(session, app, release, metric, latency_edge)
    devices = devices_of(session, {row[0] for row in rows})
    return tuple((devices[context], arm, n, total) for context, arm, _install, n, total in rows)


def _rows(session: Session, app: str, release: str, metric: str, latency_edge: int | None) -> list[CohortRow]:
    if metric not in METRICS:
        raise InvalidInputError(Problem("metric", f"must be one of {', '.join(METRICS)}, not {metric!r}"))
    if metric == CSAT:
        return _ratings(session, app, release)
    return _install_hours(session, app, release, metric, latency_edge)


def _cells(key: tuple[datetime, str, Arm], metrics: Mapping[str, Sequence[Any]], edge: int | None) -> list[ArmCell]:
    blank = ArmCell(hour=key[0], stratum=key[1], arm=key[2], metric="", n=0, total=0, total_sq=0, buckets={})
    hours = sum(row.n for row in metrics.get(INSTALL_HOURS, ()))
    harmed = {name: sum(row.n for row in metrics.get(name, ())) for name in HARMS}
    found = [replace(blank, metric=name, n=hours, total=k, total_sq=k) for name, k in harmed.items() if hours]
    p95 = {row.bucket: row.n for row in metrics.get(LATENCY_P95, ())}
    if p95:
        slow = sum(n for bucket, n in p95.items() if edge is not None and bucket > edge)
        n = sum(p95.values()) if edge is not None else 0
        found.append(replace(blank, metric=LATENCY_P95, n=n, total=slow, total_sq=slow, buckets=p95))
    if LATENCY in metrics:
        buckets = {row.bucket: row.n for row in metrics[LATENCY]}
        found.append(replace(blank, metric=LATENCY, n=sum(buckets.values()), buckets=buckets))
    if CSAT in metrics:
        n, total, total_sq = (sum(getattr(row, name) for row in metrics[CSAT]) for name in ("n", "total", "total_sq"))
        buckets = {row.bucket: row.n for row in metrics[CSAT]}
        found.append(replace(blank, metric=CSAT, n=n, total=total, total_sq=total_sq, buckets=buckets))
    return found


def _edges(grouped: Mapping[tuple[datetime, str, Arm], Mapping[str, Sequence[Any]]]) -> dict[datetime, int]:
    """Return for each hour the p95 of what baseline installs had as their p95 in all hours before it."""
    edges: dict[datetime, int] = {}
    before: dict[int, int] = defaultdict(int)
    for hour in sorted({key[0] for key in grouped}):
        edge = quantile_bucket(before, 0.95)
        if edge is not None:
            edges[hour] = edge
        for (each, _, arm), metrics in grouped.items():
            if each == hour and arm == "baseline":
                for row in metrics.get(LATENCY_P95, ()):
                    before[row.bucket] += row.n
    return edges


CohortRow = tuple[str, Arm, str, int, int]
"""Context, arm, install, n and total."""


def _ratings(session: Session, app: str, release: str) -> list[CohortRow]:
    row = ANSWERS.c
    wanted = [row.app == app, row.release == release, row.arm.is_not(None), row.is_primary, row.value.is_not(None)]
    wanted += [row.kind.in_(("csat", "rating"))]
    total = sa.func.sum(sa.cast(row.value, sa.Integer))
    statement = sa.select(row.context, row.arm, row.install, sa.func.count(), total).where(*wanted)
    return [tuple(each) for each in session.execute(statement.group_by(row.context, row.arm, row.install))]


def _install_hours(session: Session, app: str, release: str, metric: str, edge: int | None) -> list[CohortRow]:
    row = INFERENCES.c
    wanted = [row.app == app, row.release == release, row.arm.is_not(None), row.install.is_not(None)]
    if metric == LATENCY_P95:
        edge = _baseline_p95(session, wanted) if edge is None else edge
        wanted += [row.latency_p95.is_not(None)]
        harmed = sa.case((row.latency_p95 > (edge if edge is not None else 0), 1), else_=0)
    else:
        column = row[COLUMNS[metric]]
        harmed = sa.case((column if metric == "fallback_rate" else column > 0, 1), else_=0)
    hour = sa.func.strftime("%Y-%m-%d %H", row.window_start)
    if session.get_bind().dialect.name != "sqlite":
        hour = sa.func.date_trunc("hour", row.window_start)
    hours = sa.select(row.context, row.arm, row.install, hour.label("hour"), sa.func.max(harmed).label("harmed"))
    each = hours.where(*wanted).group_by(row.context, row.arm, row.install, "hour").subquery().c
    statement = sa.select(each.context, each.arm, each.install, sa.func.count(), sa.func.sum(each.harmed))
    return [tuple(found) for found in session.execute(statement.group_by(each.context, each.arm, each.install))]


def _baseline_p95(session: Session, wanted: Sequence[Any]) -> int | None:
    row = INFERENCES.c
    is_it = (*wanted, row.arm == "baseline", row.latency_p95.is_not(None))
    found = session.execute(sa.select(row.latency_p95, sa.func.count()).where(*is_it).group_by(row.latency_p95))
    return quantile_bucket({row[0]: row[1] for row in found}, 0.95)


def devices_of(session: Session, contexts: Iterable[str]) -> dict[str, DeviceContext]:
    """Return the devices that contexts stand for, by the context's id."""
    wanted = set(contexts)
    table = CONTEXTS
    rows = session.execute(sa.select(table.c.id, *(table.c[field] for field in CONTEXT_FIELDS)))
    return {
        key: DeviceContext(**dict(zip(CONTEXT_FIELDS, facts, strict=True))) for key, *facts in rows if key in wanted
    }


def _by_cohort(rows: Sequence[CohortRow], devices: Mapping[str, DeviceContext]) -> tuple[CohortArm, ...]:
    sums: dict[tuple[str, str, Arm], tuple[int, int, set[str]]] = {}
    for context, arm, install, n, total in rows:
        for attribute in WIRE_NAMES:
            value = devices[context].label(attribute)
            if value is not None:
                had = sums.setdefault((attribute, value, arm), (0, 0, set()))
                had[2].add(install)
                sums[attribute, value, arm] = (had[0] + n, had[1] + total, had[2])
    return tuple(
        CohortArm(attribute=attribute, value=value, arm=arm, n=n, total=total, installs=len(installs))
        for (attribute, value, arm), (n, total, installs) in sorted(sums.items())
    )
