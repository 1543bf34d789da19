"""What a plan would do, from last week's installs: the devices heard of, and what the baseline does on them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from core.db import Databases
from feedback import store as feedback
from feedback.scores import satisfied_from
from feedback.sketches import PER_DOUBLING
from feedback.store import Habits
from feedback.telemetry import CSAT, LATENCY_P95
from releases import artifact_store, freeze_store, registry
from releases.forecast import Forecast, Seen, forecast
from releases.outlook import Usual
from releases.plan import Release

LAST_WEEK: Final = timedelta(days=7)
SCALE: Final = 5
LN_BUCKET: Final = math.log(2) / PER_DOUBLING


def foresee(databases: Databases, session: Session, release: Release, now: datetime, *, minimum: int) -> Forecast:
    """Replay the release's plan on last week's installs; `session` may hold a release that is not committed.

    Fewer than `minimum` installs that can run no file keep no release from the others.
    """
    app, model = release.app, release.model
    files = {file.sha256: file for file in artifact_store.find_artifacts(session, app=app, model=model)}
    freezes = [kept.freeze for kept in freeze_store.list_freezes(session, app=app)]
    with feedback.fresh(databases.ingest) as ingest:
        seen = feedback.devices_seen(ingest, app=app, since=now - LAST_WEEK)
        habits = feedback.habits(ingest, app=app, model=model, version=release.baseline_version, since=now - LAST_WEEK)
    both = [files[each] for each in (*release.candidates, *release.rivals)]
    ahead = forecast(
        release.plan, [files[each] for each in release.candidates], [Seen(device=d, installs=n) for d, n in seen], now,
        rivals=[files[each] for each in release.rivals], usual=usual(habits), freezes=freezes,
        minimum=minimum,
    )  # fmt: skip
    return replace(ahead, unread=registry.unread(session, app=app, artifacts=both))


def usual(habits: Habits) -> Mapping[str, Usual]:
    """Return what is usual by metric, of what was heard at all. A rate that never happened counts half a harm. Pure."""
    found: dict[str, Usual] = {}
    days = habits.installs * habits.days
    if habits.windows:
        for metric, harmed in habits.harmed.items():
            rate = (harmed + 0.5) / (habits.windows + 1)
            found[metric] = Usual(kind="rate", value=rate, per_day=habits.windows / days)
    if habits.p95:
        found[LATENCY_P95] = _log_p95(habits.p95)
    ratings = sum(habits.ratings.values())
    if ratings and days:
        satisfied = sum(n for rating, n in habits.ratings.items() if rating >= satisfied_from(SCALE))
        found[CSAT] = Usual(kind="rate", value=(satisfied + 0.5) / (ratings + 1), per_day=ratings / days)
    return found


def _log_p95(buckets: Mapping[int, int]) -> Usual:
    n = sum(buckets.values())
    values = {(bucket + 0.5) * LN_BUCKET: many for bucket, many in buckets.items()}
    mean = sum(value * many for value, many in values.items()) / n
    spread = math.sqrt(sum((value - mean) ** 2 * many for value, many in values.items()) / n)
    return Usual(kind="log_mean", value=mean, spread=max(spread, LN_BUCKET / 2))
