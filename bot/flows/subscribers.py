"""Telling channels what they subscribed to: releases and regressions as they happen, each once."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot import posts, speech, subscriptions, tickets
from bot.context import Context
from bot.subscriptions import EVERY_MODEL, Subscription, may_meet
from bot.views import subscription as views
from bot.views.blocks import Message
from core import audit, segments
from core.audit import Entry
from core.db import reading
from core.engine import enqueue
from core.errors import NotFoundError, UpstreamError
from releases import store
from releases.plan import Release

KINDS = {"releases": "release.", "regressions": "ticket."}
TOLD = frozenset({"ticket.opened", "ticket.changed"})
READ_AT_ONCE = 200


def spread(ctx: Context) -> None:
    """Ask for a job for each thing that happened since the last look and that a channel wants. Twice is harmless."""
    app = ctx.settings.app
    with reading(ctx.databases.control) as session:
        newest = audit.last_position(session)
        behind = [each for each in subscriptions.listed(session, app) if each.topic in KINDS and each.told_to < newest]
    if not behind:
        return
    with ctx.databases.control.begin() as session:
        for subscription in behind:
            entries = audit.entries_after(session, subscription.told_to, limit=READ_AT_ONCE)
            for entry in entries:
                if _is_about(ctx, session, subscription, entry):
                    _ask(session, subscription, str(entry.position))
            if entries:
                subscriptions.note_told(session, app, subscription, entries[-1].position)


def _ask(session: Session, wanted: Subscription, position: str) -> None:
    key = f"{wanted.channel}/{position}"
    enqueue(session, "tell_channel", key=key, channel=wanted.channel, position=position, mode=wanted.mode)


def tell_channel(ctx: Context, channel: str, position: str, mode: str) -> None:
    """Tell one channel one thing, once but for a crash just after posting. A job.

    In `thread` mode the first word about a release or regression stands in the channel, the others under it.
    Raises: UpstreamError: Slack cannot just now, or refuses.
    """
    subject = f"audit/{position}"
    with reading(ctx.databases.control) as session:
        entry = next(iter(audit.entries_after(session, int(position) - 1, limit=1)), None)
        if entry is None or posts.find(session, subject, channel) is not None:
            return
        root = f"root/{entry.subject}"
        thread = posts.find(session, root, channel) if mode == "thread" else None
        message = _message(ctx, session, entry)
    if message is None:
        return
    try:
        ts = speech.post(ctx.slack, channel, message, thread=thread)
    except speech.NoWayError as error:
        raise UpstreamError("slack", f"{channel}: {error.reason}; invite the bot there", permanent=True) from error
    with ctx.databases.control.begin() as session:
        posts.note(session, subject, channel, ts=ts, now=ctx.clock())
        posts.note(session, root, channel, ts=ts, now=ctx.clock())


def _is_about(ctx: Context, session: Session, wanted: Subscription, entry: Entry) -> bool:
    is_kind = entry.what in TOLD if wanted.topic == "regressions" else entry.what.startswith(KINDS[wanted.topic])
    if not is_kind or wanted.channel == ctx.settings.slack_channel:  # which hears it in the thread of the card
        return False
    model, cohort = _model_and_cohort(session, entry)
    return wanted.model in (EVERY_MODEL, model) and (not wanted.where or may_meet(cohort, wanted.where))


def _model_and_cohort(session: Session, entry: Entry) -> tuple[str | None, str]:
    try:
        if entry.what in TOLD:
            ticket = tickets.load(session, str(entry.facts.get("fingerprint") or entry.subject))
            return ticket.regression.model, ticket.regression.cohort
        release = store.load_release(session, entry.subject)
    except NotFoundError:
        return None, ""
    return release.model, segments.text(release.plan.segment)


def _message(ctx: Context, session: Session, entry: Entry) -> Message | None:
    try:
        if entry.what in TOLD:
            ticket = tickets.load(session, str(entry.facts.get("fingerprint") or entry.subject))
            url = ctx.jira.browse_url(ticket.key) if ctx.jira and ticket.key else ctx.settings.public_url
            return views.ticket(ticket, url)
        release: Release = store.load_release(session, entry.subject)
    except NotFoundError:
        return None
    return views.release(release, entry)
