"""The weekly digest: composed once for each app and week, posted once, shown again at any time."""

from __future__ import annotations

import logging

import msgspec

from bot import digests, posts, speech
from bot.context import Context
from bot.digests import KeptDigest
from bot.flows.week import gather
from bot.pages_web import digest_url
from bot.views import digest as views
from bot.weeks import Week, find_week, parse_schedule
from core.db import reading
from core.errors import InvalidInputError, Problem
from feedback.digest import Digest

log = logging.getLogger(__name__)


def post_digest(ctx: Context, week: str) -> None:
    """Compose the digest of the week if nobody has, and post it if it is not posted. A job; running twice is harmless.

    Raises: UpstreamError: Slack cannot just now (passing), or refuses; InvalidInputError: there is no such week.
    """
    kept = compose_once(ctx, week_named(ctx, week))
    channel = ctx.settings.slack_channel
    if channel is None or is_posted(ctx, kept):
        return
    message = views.digest(content(kept), url=digest_url(kept, ctx.settings))
    ts = speech.post(ctx.slack, channel, message)
    with ctx.databases.control.begin() as session:
        posts.note(session, kept.id, channel, ts=ts, now=ctx.clock())
    log.info("digest.posted", extra={"week": week})


def compose_once(ctx: Context, week: Week) -> KeptDigest:
    """Return the stored digest of the week; composed now if there was none."""
    kept = find(ctx, week.name)
    if kept is not None:
        return kept
    made = msgspec.to_builtins(gather(ctx, week))
    with ctx.databases.control.begin() as session:
        return digests.keep(session, app=ctx.settings.app, week=week.name, content=made, now=ctx.clock())


def find(ctx: Context, week: str | None) -> KeptDigest | None:
    """Return the stored digest of the week, or the latest."""
    with reading(ctx.databases.control) as session:
        if week is None:
            return digests.latest(session, app=ctx.settings.app)
        return digests.find_week(session, app=ctx.settings.app, week=week)


def is_posted(ctx: Context, kept: KeptDigest) -> bool:
    with reading(ctx.databases.control) as session:
        return posts.find(session, kept.id, ctx.settings.slack_channel or "") is not None


def content(kept: KeptDigest) -> Digest:
    return msgspec.convert(kept.content, Digest)


def week_named(ctx: Context, name: str) -> Week:
    """Raises: InvalidInputError: there is no such week."""
    week = find_week(name, parse_schedule(ctx.settings.digest_schedule).zone)
    if week is None:
        raise InvalidInputError(Problem("week", f"must be an ISO week such as 2026-W47, not {name}"))
    return week
