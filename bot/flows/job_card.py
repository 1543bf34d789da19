"""The job that shows another job: one message edited in place, and one line in its thread when it has ended."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot import cards, posts, speech
from bot.context import Context
from bot.flows.release_card import hash_of
from bot.flows.variants import offered_name
from bot.jobs_web import job_url
from bot.views import job as views
from bot.views.blocks import Message
from core.clock import Clock, system_clock
from core.db import reading
from core.engine import enqueue
from core.errors import UpstreamError
from optimize import store
from optimize.store import Job

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=3)  # chat.update takes 50 a minute, and there is one such job at a time


def show_job(ctx: Context, ref: str, *, wall: Clock = system_clock) -> None:
    """Post the job's message, or edit it if it shows something else now; tell its thread once when it has ended. A job.

    Raises: UpstreamError: Slack cannot just now (passing), or refuses.
    """
    found = _load(ctx, ref)
    channel = found.wanted.channel
    if channel is None:
        return
    subject = f"job/{found.name}"
    with ctx.databases.control.begin() as session:
        at = wall()
        claim = cards.claim(session, subject, channel, at=at, every=EVERY)
        if isinstance(claim, cards.Wait):
            enqueue(session, "show_job", key=f"{ref}/after/{claim.until.isoformat()}", after=claim.until - at, ref=ref)
            return
    found = _load(ctx, ref)
    message = card(ctx, found)
    shown = hash_of(message)
    ts = claim.ts
    try:
        if not claim.ts or claim.shown != shown:
            ts = _put(ctx, found, channel, claim.ts, message)
    except speech.NoWayError:
        with ctx.databases.control.begin() as session:
            cards.give_back(session, claim)
        _tell_person(ctx, found, message)
        return
    except UpstreamError:
        with ctx.databases.control.begin() as session:
            cards.give_back(session, claim)
        raise
    with ctx.databases.control.begin() as session:
        cards.note(session, claim, ts=ts, shown=shown)
    if found.has_ended:
        _announce(ctx, found, channel, found.wanted.thread or ts)


def card(ctx: Context, job: Job) -> Message:
    """Return the job's message as it stands."""
    with reading(ctx.databases.control) as session:
        offered = offered_name(session, job)
    return views.card(
        views.Card(job=job, command=ctx.settings.slack_command, url=job_url(job, ctx.settings), offered=offered)
    )


def _load(ctx: Context, ref: str) -> Job:
    with reading(ctx.databases.control) as session:
        return store.load(session, ref, app=ctx.settings.app)


def _put(ctx: Context, job: Job, channel: str, ts: str, message: Message) -> str:
    if ts:
        try:
            speech.update(ctx.slack, channel, ts, message)
        except speech.GoneError:
            log.info("card.deleted", extra={"channel": channel})
        else:
            return ts
    return speech.post(ctx.slack, channel, message, thread=job.wanted.thread)


def _announce(ctx: Context, job: Job, channel: str, thread: str) -> None:
    subject = f"job/{job.name}/ended"
    with reading(ctx.databases.control) as session:
        if posts.find(session, subject, channel) is not None:
            return
    ts = speech.post(ctx.slack, channel, views.news(job, job_url(job, ctx.settings)), thread=thread)
    with ctx.databases.control.begin() as session:
        posts.note(session, subject, channel, ts=ts, now=ctx.clock())


def _tell_person(ctx: Context, job: Job, message: Message) -> None:
    """The bot is not in that channel: whoever ordered gets the outcome, once."""
    person = job.wanted.asked_by
    subject = f"job/{job.name}/ended"
    with reading(ctx.databases.control) as session:
        is_told = posts.find(session, subject, person) is not None
    if is_told or not job.has_ended:
        return
    ts = speech.post(ctx.slack, person, message)
    with ctx.databases.control.begin() as session:
        posts.note(session, subject, person, ts=ts, now=ctx.clock())
