"""The job that shows another job: one message edited in place, and one line in its thread when it has ended."""

from __future__ import annotations

from datetime import timedelta

from bot import speech
from bot.context import Context
from bot.flows import showing
from bot.flows.variants import offered_name
from bot.jobs_web import job_url
from bot.views import job as views
from bot.views.blocks import Message
from core.clock import Clock, system_clock
from core.db import reading
from optimize import store
from optimize.store import Job

EVERY = timedelta(seconds=3)  # chat.update takes 50 a minute, and there is one such job at a time


def show_job(ctx: Context, ref: str, *, wall: Clock = system_clock) -> None:
    """Post the job's message, or edit it if it shows something else now; tell its thread once when it has ended. A job.

    Raises: UpstreamError: Slack cannot just now (passing), or refuses.
    """
    found = _load(ctx, ref)
    channel = found.wanted.channel
    if channel is None:
        return
    claimed = showing.claim(ctx, f"job/{found.name}", channel, wall=wall, every=EVERY, job="show_job", ref=ref)
    if claimed is None:
        return
    found = _load(ctx, ref)
    message, ended = card(ctx, found), f"job/{found.name}/ended"
    try:
        ts = showing.show(ctx, claimed, message, thread=found.wanted.thread)
    except speech.NoWayError:  # the bot is not in that channel: whoever ordered gets the outcome
        if found.has_ended:
            showing.say_once(ctx, ended, found.wanted.asked_by, message)
        return
    if found.has_ended:
        news = views.news(found, job_url(found, ctx.settings))
        showing.say_once(ctx, ended, channel, news, thread=found.wanted.thread or ts)


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
