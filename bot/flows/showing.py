"""Showing a card (claimed, then posted or edited in place) and saying something once; the same for all we tell of."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import timedelta

from bot import cards, posts, speech
from bot.context import Context
from bot.views.blocks import Message
from core.clock import Clock
from core.db import reading
from core.engine import enqueue
from core.errors import UpstreamError

log = logging.getLogger(__name__)


def claim(
    ctx: Context, subject: str, channel: str, *, wall: Clock, every: timedelta, job: str, **ids: str
) -> cards.Claim | None:
    """Claim a card; None when that was done less than `every` of real time ago: `job` is in line to come again then."""
    with ctx.databases.control.begin() as session:
        at = wall()
        found = cards.claim(session, subject, channel, at=at, every=every)
        if isinstance(found, cards.Wait):
            enqueue(session, job, key=f"{subject}/after/{found.until.isoformat()}", after=found.until - at, **ids)
            return None
    return found


def show(ctx: Context, claimed: cards.Claim, message: Message, *, thread: str | None = None) -> str:
    """Post the card, or edit it if it shows something else now; return its timestamp.

    Raises: UpstreamError: as `speech.post`; the claim is given back.
    """
    shown = hash_of(message)
    if claimed.ts and claimed.shown == shown:
        return claimed.ts
    try:
        ts = _put(ctx, claimed, message, thread)
    except UpstreamError:
        with ctx.databases.control.begin() as session:
            cards.give_back(session, claimed)
        raise
    with ctx.databases.control.begin() as session:
        cards.note(session, claimed, ts=ts, shown=shown)
    return ts


def say_once(ctx: Context, subject: str, target: str, message: Message, *, thread: str | None = None) -> None:
    """Post something unless it was; once, but for a crash just after posting, which repeats it.

    Raises: UpstreamError: as `speech.post`.
    """
    with reading(ctx.databases.control) as session:
        if posts.find(session, subject, target) is not None:
            return
    ts = speech.post(ctx.slack, target, message, thread=thread)
    with ctx.databases.control.begin() as session:
        posts.note(session, subject, target, ts=ts, now=ctx.clock())


def hash_of(message: Message) -> str:
    return hashlib.sha256(json.dumps([message.text, message.blocks], sort_keys=True).encode()).hexdigest()


def _put(ctx: Context, claimed: cards.Claim, message: Message, thread: str | None) -> str:
    if claimed.ts:
        try:
            speech.update(ctx.slack, claimed.channel, claimed.ts, message)
        except speech.GoneError:
            log.info("card.deleted", extra={"channel": claimed.channel})
        else:
            return claimed.ts
    return speech.post(ctx.slack, claimed.channel, message, thread=thread)
