"""Watching for drift every night, and how stale a model is; what may be alarmed about in a week is limited."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec
from sqlalchemy.orm import Session

from bot import drifts
from bot.context import Context
from bot.drifts import DriftFacts, FoundDrift, Goal
from bot.flows import nightly, showing
from bot.views import drift as views
from core.db import reading
from core.engine import enqueue
from core.errors import NotFoundError
from core.segments import suggestion
from feedback import store as feedback
from feedback.drift import Drift, watch
from feedback.drift_cohorts import cohort_days
from feedback.staleness import Staleness, staleness
from feedback.store import LeafDay
from releases import artifact_store, training
from releases.store import stood_releases

log = logging.getLogger(__name__)

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
# Four weeks are compared with the same weekdays of the four before.
HISTORY: Final = 9 * WEEK
LATE: Final = 3 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """A model's version with its goals and how stale it is against them."""

    model: str
    version: str
    goal: Goal
    stale: Staleness


def watch_drift(ctx: Context, model: str) -> None:
    """Count the days that came or changed, compare them with the weeks before, and alarm as far as the week allows.

    A job, nightly; twice is harmless.
    """
    app, now = ctx.settings.app, ctx.clock()
    today = now.date()
    _roll_up(ctx, model, today)
    found = _found(ctx, model, today)
    with ctx.databases.control.begin() as session:
        for each in found:
            drifts.keep(session, _as_kept(app, model, each, now), now=now)
        drifts.settle(session, app=app, model=model, still=[(each.measure, each.cohort) for each in found], now=now)
        _alarm(session, ctx, now)
    log.info("drift.watched", extra={"model": model, "found": len(found)})


def _roll_up(ctx: Context, model: str, today: date) -> None:
    app = ctx.settings.app
    with feedback.fresh(ctx.databases.ingest) as session:
        first = feedback.first_day(session, app=app, model=model)
        done = feedback.rolled_up(session, app=app, model=model)
    if first is None:
        return
    day = max(first, today - HISTORY)
    while day < today:
        if day not in done or day >= today - LATE:
            with ctx.databases.ingest.begin() as session:
                feedback.roll_up_day(session, app=app, model=model, day=day)
        day += DAY


def _found(ctx: Context, model: str, today: date) -> tuple[Drift, ...]:
    app, now = ctx.settings.app, ctx.clock()
    with reading(ctx.databases.control) as session:
        version = _version(session, app, model)
    with feedback.fresh(ctx.databases.ingest) as session:
        days = feedback.leaf_days(session, app=app, model=model, since=today - HISTORY, until=today)
        people = feedback.leaf_installs(session, app=app, model=model, since=now - WEEK, until=now)
    mine = [each for each in days if _runs(each, version)]
    minimum = ctx.settings.minimum_cohort
    counted = cohort_days(mine, people, minimum=minimum)
    return watch(counted, until=today, false_discovery_rate=ctx.settings.drift_false_rate)


def _runs(each: LeafDay, version: str | None) -> bool:
    """Whether phones of this leaf run the version in question: another version says other things by intent."""
    return version is None or each.device.model_version in (None, version)


def _version(session: Session, app: str, model: str) -> str | None:
    baselines = artifact_store.current_baselines(session, app=app, model=model)
    return baselines[0].version if baselines else None


def _as_kept(app: str, model: str, drift: Drift, now: datetime) -> FoundDrift:
    names = DriftFacts.__dataclass_fields__
    facts = msgspec.convert({name: getattr(drift, name) for name in names}, type=DriftFacts)
    return FoundDrift(
        app=app, model=model, measure=drift.measure, cohort=drift.cohort, facts=facts, first_seen=now, last_seen=now
    )  # fmt: skip


def _alarm(session: Session, ctx: Context, now: datetime) -> None:
    """Alarm about the largest that nobody was told of, as many as the week's budget leaves."""
    app = ctx.settings.app
    left = ctx.settings.drift_alarms_a_week - drifts.alarms_since(session, app=app, since=now - WEEK)
    untold = [each for each in drifts.standing(session, app=app) if each.alarmed_at is None]
    for each in untold[: max(0, left)]:
        drifts.alarmed(session, each, now=now)
        key = f"{each.model}/{each.measure}/{each.cohort}/{each.first_seen:%Y-%m-%d}"
        enqueue(session, "announce_drift", key=key, model=each.model, measure=each.measure, cohort=each.cohort)


def announce_drift(ctx: Context, model: str, measure: str, cohort: str) -> None:
    """Tell the channel of a drift. A job; once, but for a crash just after posting, which repeats the message.

    Raises: UpstreamError: Slack cannot just now, or refuses.
    """
    channel, app = ctx.settings.slack_channel, ctx.settings.app
    with reading(ctx.databases.control) as session:
        standing = drifts.standing(session, app=app, model=model)
        found = next((each for each in standing if (each.measure, each.cohort) == (measure, cohort)), None)
        if found is None or channel is None:
            return
    name = sha256(f"{model}\0{measure}\0{cohort}".encode()).hexdigest()[:16]
    showing.say_once(ctx, f"drift/{name}/{found.first_seen:%Y-%m-%dT%H}", channel, views.alarm(found))


def age(ctx: Context, model: str) -> Age | None:
    """Return how stale what phones run is; None for a model without an artifact that phones run."""
    app, today = ctx.settings.app, ctx.clock().date()
    with reading(ctx.databases.control) as session:
        baselines = artifact_store.current_baselines(session, app=app, model=model)
        if not baselines:
            return None
        version = baselines[0].version
        goal = drifts.goal_of(session, app=app, model=model)
        stale = staleness(
            today=today,
            released=_released(session, app, model, version).date(),
            data_until=training.trained_until(session, app=app, model=model, version=version),
            goal_days=goal.age_days,
            data_goal_days=goal.data_days,
            drifts=drifts.standing(session, app=app, model=model),
        )
    return Age(model=model, version=version, goal=goal, stale=stale)


def _released(session: Session, app: str, model: str, version: str) -> datetime:
    for release, rollout in stood_releases(session):
        if (release.app, release.model, release.candidate_version) == (app, model, version):
            return rollout.since
    return artifact_store.registered_at(session, app=app, model=model, version=version)


def require_model(ctx: Context, model: str) -> None:
    """Raises: NotFoundError: nothing is registered under this name, and no poll asks about it."""
    known = nightly.models(ctx)
    if model not in known:
        raise NotFoundError(f"There is no model {model}{suggestion(model, list(known)) or '.'}")
