"""What happens by the clock: live releases are looked at every minute, digests and housekeeping when they are due."""

from __future__ import annotations

import logging
from datetime import datetime

from bot import digests, posts
from bot.context import Context
from bot.flows import nightly, regressions, subscribers, webhooks
from bot.flows import release as releases
from bot.posts import EVERYWHERE
from bot.weeks import last_due, parse_schedule, week_before
from core.db import reading
from core.engine import enqueue
from core.keys import first_key_at
from releases.store import live_releases

log = logging.getLogger(__name__)


def tick(ctx: Context) -> None:
    """Look once. A release that cannot be looked at does not keep the others from it.

    Raises: ExceptionGroup: with what went wrong, after everything else was done.
    """
    now = ctx.clock()
    with reading(ctx.databases.control) as session:
        live = live_releases(session, app=ctx.settings.app)
    troubles: list[Exception] = []
    for release, _ in live:
        try:
            releases.tick(ctx, release.id, now)
            regressions.ask_for_look(ctx, release)
        except Exception as error:
            log.warning("release.not_looked_at", extra={"release": release.id, "reason": repr(error)})
            troubles.append(error)
    webhooks.spread(ctx)
    subscribers.spread(ctx)
    ask_for_digest(ctx, now)
    _ask_for_housekeeping(ctx, now)
    nightly.ask(ctx, now)
    if troubles:
        raise ExceptionGroup("some releases could not be looked at", troubles)


def ask_for_digest(ctx: Context, now: datetime) -> None:
    """Ask for the digest that was due last, unless it was handed out; weeks that were missed before it stay missed.

    A house that did not stand yet in that week has none.
    """
    app = ctx.settings.app
    with reading(ctx.databases.control) as session:
        schedule = parse_schedule(digests.schedule_of(session, ctx.settings))
        week = week_before(last_due(schedule, now), schedule.zone)
        since = first_key_at(session, app)
        kept = digests.find_week(session, app=app, week=week.name)
        done = kept is not None and posts.find(session, kept.id, EVERYWHERE) is not None
    if since is None or since >= week.ends or done:
        return
    with ctx.databases.control.begin() as session:
        enqueue(session, "post_digest", key=f"{app}/{week.name}", week=week.name)


def _ask_for_housekeeping(ctx: Context, now: datetime) -> None:
    with ctx.databases.control.begin() as session:
        enqueue(session, "housekeeping", key=f"{now:%Y-%m-%d}")
