"""Subscribing a channel, and ending that: anybody may, for the channel they speak in; the audit log says who."""

from __future__ import annotations

from dataclasses import replace

from bot import subscriptions
from bot.context import Context
from bot.subscriptions import EVERY_MODEL, MODES, TOPICS, Mode, Subscription, Topic
from core import audit, segments
from core.db import reading
from core.errors import InvalidInputError, NotFoundError, Problem
from core.segments import EVERYONE, Segment
from feedback import store as feedback
from releases import artifact_store


def wanted(ctx: Context, channel: str, words: tuple[str, ...], where: Segment, *, by: str) -> tuple[Subscription, ...]:
    """Read "kws releases digests thread": a model (or `all`), topics (none: all of them), a mode.

    Raises: InvalidInputError: a word is none of these, or this is no channel; NotFoundError: no such model.
    """
    if not channel.startswith(("C", "G")):
        raise InvalidInputError(Problem("", "say this in the channel that should hear it"))
    model, rest = _model(ctx, words[0]), words[1:]
    topics = [topic for topic in TOPICS if topic in rest]
    modes: list[Mode] = [mode for mode in MODES if mode in rest]
    unknown = [word for word in rest if word not in (*TOPICS, *MODES)]
    problems = [Problem(word, f"is none of {', '.join((*TOPICS, *MODES))}") for word in unknown]
    if len(modes) > 1:
        problems.append(Problem("", "choose thread or broadcast"))
    if problems:
        raise InvalidInputError(*problems)
    text = "" if where == EVERYONE else segments.text(where)
    one = Subscription(
        channel=channel, model=model, topic="digests", mode=modes[0] if modes else "broadcast", where=text, made_by=by
    )
    return tuple(replace(one, topic=topic) for topic in topics or TOPICS)


def put(ctx: Context, wanted: tuple[Subscription, ...], *, by: str) -> None:
    now = ctx.clock()
    with ctx.databases.control.begin() as session:
        for each in wanted:
            subscriptions.put(session, ctx.settings.app, each, now=now)
        facts = {"model": wanted[0].model, "topics": [each.topic for each in wanted], "where": wanted[0].where}
        audit.record(session, who=by, what="subscription.put", subject=wanted[0].channel, now=now, facts=facts)


def drop(ctx: Context, wanted: tuple[Subscription, ...], *, by: str, is_dry_run: bool) -> tuple[Topic, ...]:
    """Return the topics that the channel had."""
    now, first = ctx.clock(), wanted[0]
    with ctx.databases.control.begin() as session:
        topics = tuple(each.topic for each in wanted)
        gone = subscriptions.drop(session, ctx.settings.app, first.channel, first.model, topics)
        if gone and not is_dry_run:
            facts = {"model": first.model, "topics": list(gone)}
            audit.record(session, who=by, what="subscription.dropped", subject=first.channel, now=now, facts=facts)
        if is_dry_run:
            session.rollback()
    return gone


def listed(ctx: Context, channel: str | None) -> tuple[Subscription, ...]:
    with reading(ctx.databases.control) as session:
        return subscriptions.listed(session, ctx.settings.app, channel=channel)


def _model(ctx: Context, word: str) -> str:
    if word in ("all", "*", "every"):
        return EVERY_MODEL
    app = ctx.settings.app
    with reading(ctx.databases.control) as session:
        known = {name for _, name in artifact_store.models(session, app=app)}
        known |= {poll.model for poll in feedback.list_polls(session, app)}
    if word not in known:
        raise NotFoundError(f"There is no model {word}; there are {', '.join(sorted(known)) or 'none'}, or say `all`.")
    return word
