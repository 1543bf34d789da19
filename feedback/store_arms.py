"""Reads for releases: the cells guardrails are fed with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.arms import ArmName
from feedback.sketches import quantile_bucket
from feedback.tables import CELLS
from feedback.telemetry import CSAT, HARMS, INSTALL_HOURS, LATENCY, LATENCY_P95, hour_of


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
    arm: ArmName
    metric: str
    n: int
    total: int
    total_sq: int
    buckets: Mapping[int, int]


def arm_cells(session: Session, *, app: str, release: str, since: datetime | None = None) -> tuple[ArmCell, ...]:
    """Return all cells of a release from the hour of `since` on, by hour, stratum, arm and metric."""
    cell = CELLS
    statement = sa.select(cell).where(cell.c.app == app, cell.c.release == release).order_by(*cell.primary_key.columns)
    grouped: dict[tuple[datetime, str, ArmName], dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
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


def _cells(key: tuple[datetime, str, ArmName], metrics: Mapping[str, Sequence[Any]], edge: int | None) -> list[ArmCell]:
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


def _edges(grouped: Mapping[tuple[datetime, str, ArmName], Mapping[str, Sequence[Any]]]) -> dict[datetime, int]:
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
