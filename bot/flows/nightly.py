"""What is looked at once a day: every release that is watched, and every model against its own weeks before.

The job only asks for the others, so that one that fails keeps none of them from being done.
"""

from __future__ import annotations

import logging
from datetime import datetime

from bot.context import Context
from core.db import reading
from core.engine import enqueue
from feedback import store as feedback
from releases.artifact_store import find_artifacts
from releases.store import live_releases

log = logging.getLogger(__name__)


def ask(ctx: Context, now: datetime) -> None:
    """Ask for tonight's looks; asked again the same day (UTC), nothing happens."""
    with ctx.databases.control.begin() as session:
        enqueue(session, "nightly", key=f"{now:%Y-%m-%d}")


def run(ctx: Context) -> None:
    """Ask for everything that is done once a day. A job; twice on one day is once."""
    now, app = ctx.clock(), ctx.settings.app
    names = models(ctx)
    with ctx.databases.control.begin() as session:
        for release, _ in live_releases(session, app=app):
            enqueue(session, "look_for_regressions", key=f"{release.id}/{now:%Y-%m-%d}", release=release.id)
        for model in names:
            enqueue(session, "look_at_weeks", key=f"{app}/{model}/{now:%Y-%m-%d}", model=model)
            enqueue(session, "watch_drift", key=f"{app}/{model}/{now:%Y-%m-%d}", model=model)
    log.info("nightly.asked", extra={"models": len(names)})


def models(ctx: Context) -> tuple[str, ...]:
    """Return the names of all models that there is an artifact of or a poll about."""
    with reading(ctx.databases.control) as session:
        registered = {artifact.model for artifact in find_artifacts(session, app=ctx.settings.app)}
        asked = {poll.model for poll in feedback.list_polls(session, ctx.settings.app)}
    return tuple(sorted(registered | asked))
