"""Reads for releases, by kind of device: what each leaf cohort told, and which installs came and stayed.

Cells know strata only; here the database counts the reports themselves, so any cohort is a sum of what it returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.device import DeviceContext
from feedback.responses import Arm
from feedback.store_arms import COLUMNS, ArmCell, devices_of
from feedback.tables import ANSWERS, CONTEXTS, INFERENCES
from feedback.telemetry import BATTERY, CONFIDENCE, CSAT, HARMS, LATENCY_P95

OF_EXTRA: Final = {CONFIDENCE: ("confidence_mean", 100), BATTERY: ("battery_pct", 10)}
"""What a phone tells of an hour beside its counts: where it is kept, and into how many parts a unit is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Installs of one arm that were first heard of in one hour, alike in their device.

    `lost`: heard of in that hour only, or of the candidate's arm and never on its version.
    """

    arm: Arm
    hour: datetime
    device: DeviceContext
    installs: int
    lost: int


def arm_leaves(
    session: Session, *, app: str, release: str, metrics: AbstractSet[str]
) -> tuple[tuple[DeviceContext, ArmCell], ...]:
    """Return what both arms told of some metrics, by device and event hour.

    An install's hour counts once, as in cells. `latency_p95` comes in buckets of the log2x4 scheme, `csat` by rating,
    `confidence` in hundredths and `battery` in tenths of a percent.
    """
    found: list[tuple[str, ArmCell]] = []
    if metrics & {*HARMS, LATENCY_P95}:
        found += _hours(session, app, release, metrics)
    if CSAT in metrics:
        found += _ratings(session, app, release)
    for metric in sorted(metrics & OF_EXTRA.keys()):
        found += _extra(session, app, release, metric)
    devices = devices_of(session, {context for context, _ in found})
    return tuple((devices[context], cell) for context, cell in found)


def arrivals(session: Session, *, app: str, release: str, version: str) -> tuple[Arrival, ...]:
    """Return when the installs of both arms were first heard of, and how many were lost; `version`: the candidate's."""
    row, hour = INFERENCES.c, _hour(session, INFERENCES.c.window_start)
    runs = sa.case((sa.and_(row.arm == "candidate", CONTEXTS.c.model_version != version), 0), else_=1)
    inner = sa.select(
        row.arm, sa.func.min(hour).label("first"), sa.func.max(hour).label("last"),
        sa.func.max(row.context).label("context"), sa.func.max(runs).label("ran"),
    ).join(CONTEXTS, CONTEXTS.c.id == row.context)  # fmt: skip
    each = inner.where(*_of(app, release)).group_by(row.arm, row.install).subquery().c
    lost = sa.func.sum(sa.case((sa.or_(each.first == each.last, each.ran == 0), 1), else_=0))
    statement = sa.select(each.arm, each.first, each.context, sa.func.count(), lost)
    rows = session.execute(statement.group_by(each.arm, each.first, each.context)).all()
    devices = devices_of(session, {row[2] for row in rows})
    return tuple(
        Arrival(arm=arm, hour=_moment(first), device=devices[context], installs=n, lost=int(gone))
        for arm, first, context, n, gone in rows
    )


def _hours(session: Session, app: str, release: str, metrics: AbstractSet[str]) -> Iterable[tuple[str, ArmCell]]:
    row, hour = INFERENCES.c, _hour(session, INFERENCES.c.window_start)
    names = [name for name in HARMS if name in metrics]
    harmed = {
        name: sa.case((row[column] if name == "fallback_rate" else row[column] > 0, 1), else_=0)
        for name, column in COLUMNS.items()
    }
    p95 = sa.func.max(row.latency_p95) if LATENCY_P95 in metrics else sa.null()
    inner = sa.select(
        row.context, row.arm, hour.label("hour"), p95.label("p95"),
        *(sa.func.max(harmed[name]).label(name) for name in names),
    )  # fmt: skip
    each = inner.where(*_of(app, release)).group_by(row.context, row.arm, row.install, hour).subquery().c
    statement = sa.select(
        each.context, each.arm, each.hour, each.p95, sa.func.count(), *(sa.func.sum(each[name]) for name in names)
    ).group_by(each.context, each.arm, each.hour, each.p95)
    sums: dict[tuple[str, Arm, str | datetime], tuple[list[int], dict[int, int]]] = {}
    for context, arm, at, bucket, n, *harms in session.execute(statement):
        counted, buckets = sums.setdefault((context, arm, at), ([0] * (1 + len(names)), {}))
        counted[:] = [had + int(more) for had, more in zip(counted, (n, *harms), strict=True)]
        if bucket is not None:
            buckets[bucket] = n
    for (context, arm, at), ((n, *harms), buckets) in sums.items():
        moment = _moment(at)
        for name, total in zip(names, harms, strict=True):
            yield context, _cell(moment, arm, name, n, total)
        if buckets:
            yield context, _cell(moment, arm, LATENCY_P95, sum(buckets.values()), 0, buckets)


def _ratings(session: Session, app: str, release: str) -> Iterable[tuple[str, ArmCell]]:
    row, hour = ANSWERS.c, _hour(session, ANSWERS.c.at)
    wanted = [row.app == app, row.release == release, row.arm.is_not(None), row.is_primary, row.value.is_not(None)]
    wanted += [row.kind.in_(("csat", "rating"))]
    stars = sa.cast(row.value, sa.Integer)
    statement = sa.select(row.context, row.arm, hour, stars, sa.func.count()).where(*wanted)
    return _in_buckets(session.execute(statement.group_by(row.context, row.arm, hour, stars)).all(), CSAT)


def _extra(session: Session, app: str, release: str, metric: str) -> Iterable[tuple[str, ArmCell]]:
    row, hour = INFERENCES.c, _hour(session, INFERENCES.c.window_start)
    name, parts = OF_EXTRA[metric]
    told = row.extra[name].as_float()
    inner = sa.select(row.context, row.arm, hour.label("hour"), sa.func.avg(told).label("told"))
    wanted = (*_of(app, release), row.extra.is_not(None), told.is_not(None))
    each = inner.where(*wanted).group_by(row.context, row.arm, row.install, hour).subquery().c
    bucket = sa.cast(sa.func.round(each.told * parts), sa.Integer)
    statement = sa.select(each.context, each.arm, each.hour, bucket, sa.func.count())
    grouped = statement.group_by(each.context, each.arm, each.hour, bucket)
    return _in_buckets(session.execute(grouped).all(), metric)


def _in_buckets(rows: Sequence[Any], metric: str) -> Iterable[tuple[str, ArmCell]]:
    sums: dict[tuple[str, Arm, datetime], dict[int, int]] = {}
    for context, arm, at, bucket, n in rows:
        sums.setdefault((context, arm, _moment(at)), {})[int(bucket)] = n
    for (context, arm, at), buckets in sums.items():
        yield context, _cell(at, arm, metric, sum(buckets.values()), sum(b * n for b, n in buckets.items()), buckets)


def _cell(
    hour: datetime, arm: Arm, metric: str, n: int, total: int, buckets: Mapping[int, int] | None = None
) -> ArmCell:
    return ArmCell(hour=hour, stratum="", arm=arm, metric=metric, n=n, total=total, total_sq=total,
                   buckets=buckets or {})  # fmt: skip


def _of(app: str, release: str) -> tuple[Any, ...]:
    row = INFERENCES.c
    return row.app == app, row.release == release, row.arm.is_not(None), row.install.is_not(None)


def _hour(session: Session, moment: Any) -> Any:
    """Return the moment's hour as the database has it; `_moment` reads it."""
    if session.get_bind().dialect.name == "sqlite":
        return sa.func.strftime("%Y-%m-%d %H", moment, type_=sa.Text())
    return sa.func.date_trunc(sa.literal_column("'hour'"), moment)


def _moment(hour: str | datetime) -> datetime:
    if isinstance(hour, str):
        return datetime.fromisoformat(f"{hour}:00").replace(tzinfo=UTC)
    return hour.astimezone(UTC)
