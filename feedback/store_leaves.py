"""Reads for releases, by kind of device: what each leaf cohort told, and what each install did.

Cells know strata only; diaries, and ratings as rows, know every device: any cohort is a sum of what is returned here.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.arms import ARMS
from core.errors import InvalidInputError, Problem
from feedback import diary_counts
from feedback.diary_counts import Diaries, InstallSums, LeafCounts
from feedback.sheet_counts import Codes
from feedback.store_diaries import read
from feedback.store_sheets import devices_of
from feedback.tables import ANSWERS
from feedback.telemetry import BATTERY, CONFIDENCE, CSAT, HARMS, LATENCY_P95, METRICS

IN_DIARIES: Final = frozenset({*HARMS, LATENCY_P95, CONFIDENCE, BATTERY})


def arm_leaves(
    session: Session, diaries: Diaries, *, app: str, release: str, metrics: AbstractSet[str]
) -> tuple[LeafCounts, ...]:
    """Return what both arms of a release told of some metrics, by device and event hour; without those never told of.

    An install's hour counts once on each kind of device.
    """
    found = [diary_counts.leaf_counts(diaries, metric) for metric in sorted(metrics & IN_DIARIES)]
    found += [_ratings(session, app, release)] if CSAT in metrics else []
    return tuple(each for each in found if len(each.n))


def install_sums(
    session: Session, *, app: str, release: str, metrics: Collection[str]
) -> dict[str, tuple[InstallSums, ...]]:
    """Return what each install told of each metric in either arm, as `feedback.regressions.tally` takes it.

    Raises: InvalidInputError: there is no such metric.
    """
    if unknown := set(metrics) - set(METRICS):
        message = f"must be one of {', '.join(METRICS)}, not {min(unknown)!r}"
        raise InvalidInputError(Problem("metric", message))
    diaries = read(session, app=app, release=release) if set(metrics) - {CSAT} else None
    return {
        metric: _rated(session, app, release) if diaries is None or metric == CSAT
        else diary_counts.install_sums(diaries, metric)
        for metric in metrics
    }  # fmt: skip


def _ratings(session: Session, app: str, release: str) -> LeafCounts:
    row, hour = ANSWERS.c, _hour(session, ANSWERS.c.at)
    stars = sa.cast(row.value, sa.Integer)
    statement = sa.select(row.context, row.arm, hour, stars, sa.func.count()).where(*_of_ratings(app, release))
    contexts = Codes()
    rows = [
        (contexts[context], ARMS.index(arm), diary_counts.hours_since_1970(_moment(at)), rating, n)
        for context, arm, at, rating, n in session.execute(statement.group_by(row.context, row.arm, hour, stars))
    ]
    return diary_counts.counted(
        CSAT, devices_of(session, tuple(contexts)), *np.array(rows, dtype=np.int64).reshape(-1, 5).T
    )


def _rated(session: Session, app: str, release: str) -> tuple[InstallSums, ...]:
    row = ANSWERS.c
    total = sa.func.sum(sa.cast(row.value, sa.Integer))
    statement = sa.select(row.context, row.arm, sa.func.count(), total).where(*_of_ratings(app, release))
    rows = session.execute(statement.group_by(row.context, row.arm, row.install)).all()
    contexts = tuple({context: None for context, *_ in rows})
    devices = dict(zip(contexts, devices_of(session, contexts), strict=True))
    return tuple((devices[context], arm, float(n), float(stars)) for context, arm, n, stars in rows)


def _of_ratings(app: str, release: str) -> tuple[Any, ...]:
    row = ANSWERS.c
    is_rating = (row.is_primary, row.value.is_not(None), row.kind.in_(("csat", "rating")))
    return row.app == app, row.release == release, row.arm.is_not(None), *is_rating


def _hour(session: Session, moment: Any) -> Any:
    """Return the moment's hour as the database has it; `_moment` reads it."""
    if session.get_bind().dialect.name == "sqlite":
        return sa.func.strftime("%Y-%m-%d %H", moment, type_=sa.Text())
    return sa.func.date_trunc(sa.literal_column("'hour'"), moment)


def _moment(hour: str | datetime) -> datetime:
    if isinstance(hour, str):
        return datetime.fromisoformat(f"{hour}:00").replace(tzinfo=UTC)
    return hour.astimezone(UTC)
