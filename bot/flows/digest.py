"""The weekly digest: composed once for each app and week, delivered to each target once, shown again at any time."""

from __future__ import annotations

import logging

import msgspec
from sqlalchemy.orm import Session

from bot import digests, posts, wiki_pages
from bot.context import Context
from bot.digests import KeptDigest
from bot.flows import delivery
from bot.flows.delivery import content
from bot.flows.week import gather
from bot.pages_web import digest_url
from bot.posts import EVERYWHERE
from bot.views import digest_mail, digest_wiki
from bot.weeks import Schedule, Week, find_week, parse_schedule
from core.db import reading
from core.engine import enqueue
from core.errors import InvalidInputError, Problem

__all__ = ["compose_once", "content", "find", "is_posted", "post_digest", "schedule", "week_named"]

log = logging.getLogger(__name__)


def post_digest(ctx: Context, week: str) -> None:
    """Compose the digest of the week if nobody has, and have it delivered to each target. A job; twice is harmless.

    Raises: InvalidInputError: there is no such week.
    """
    kept = compose_once(ctx, week_named(ctx, week))
    with ctx.databases.control.begin() as session:
        _want_wiki_page(ctx, session, kept)
        for target in delivery.targets(ctx, session):
            enqueue(session, "deliver_digest", key=f"{kept.id}/{target}", digest=kept.id, target=target)
        posts.note(session, kept.id, EVERYWHERE, ts="", now=ctx.clock())
    log.info("digest.composed", extra={"week": week})


def _want_wiki_page(ctx: Context, session: Session, kept: KeptDigest) -> None:
    if ctx.confluence is None:
        return
    facts, subject = content(kept), wiki_subject(kept)
    wiki_pages.want(
        session,
        subject,
        title=digest_wiki.title(facts),
        body=digest_wiki.body(facts, url=digest_url(kept, ctx.settings), origin=subject),
        files=digest_mail.cohort_images(facts),
        now=ctx.clock(),
    )


def wiki_subject(kept: KeptDigest) -> str:
    return f"digest/{kept.app}/{kept.week}"


def compose_once(ctx: Context, week: Week) -> KeptDigest:
    """Return the stored digest of the week; composed now if there was none."""
    kept = find(ctx, week.name)
    if kept is not None:
        return kept
    made = msgspec.to_builtins(gather(ctx, week, charges=True))
    with ctx.databases.control.begin() as session:
        return digests.keep(session, app=ctx.settings.app, week=week.name, content=made, now=ctx.clock())


def find(ctx: Context, week: str | None) -> KeptDigest | None:
    """Return the stored digest of the week, or the latest."""
    with reading(ctx.databases.control) as session:
        if week is None:
            return digests.latest(session, app=ctx.settings.app)
        return digests.find_week(session, app=ctx.settings.app, week=week)


def is_posted(ctx: Context, kept: KeptDigest) -> bool:
    """Tell whether the channel has it; where there is none, whether it was handed out."""
    with reading(ctx.databases.control) as session:
        return posts.find(session, kept.id, ctx.settings.slack_channel or EVERYWHERE) is not None


def schedule(ctx: Context) -> Schedule:
    with reading(ctx.databases.control) as session:
        return parse_schedule(digests.schedule_of(session, ctx.settings))


def week_named(ctx: Context, name: str) -> Week:
    """Raises: InvalidInputError: there is no such week."""
    week = find_week(name, schedule(ctx).zone)
    if week is None:
        raise InvalidInputError(Problem("week", f"must be an ISO week such as 2026-W47, not {name}"))
    return week
