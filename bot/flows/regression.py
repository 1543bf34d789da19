"""Opening the ticket of a regression: exactly one, whatever Jira, the network or this process do meanwhile.

Each turn reads the row, asks `next_step` and takes that one step. Nothing is kept in memory between turns,
so the job may be cut off anywhere and run again.
"""

from __future__ import annotations

import logging
from http.client import HTTPException
from typing import assert_never

from slack_sdk.errors import SlackClientError
from sqlalchemy.orm import Session

from bot import cards, speech, tickets
from bot.context import Context
from bot.ticket_rules import (
    Adopt,
    Comment,
    Create,
    JiraFacts,
    Later,
    LookUp,
    Note,
    Nothing,
    PutLink,
    Step,
    Ticket,
    Wait,
    label,
    next_step,
)
from bot.views import ticket as views
from core import audit
from core.clock import Clock, system_clock
from core.db import reading
from core.engine import enqueue
from core.errors import ConflictError, UpstreamError
from integrations.http import OutcomeUnknownError
from integrations.jira import JiraClient

log = logging.getLogger(__name__)

PROPERTY = "muster"
MOST_STEPS = 12
NO_JIRA = "no Jira is set up: MUSTER_JIRA_URL, _EMAIL, _TOKEN and _PROJECT"


def open_ticket(ctx: Context, fingerprint: str, *, wall: Clock = system_clock) -> None:
    """Open, link and keep up to date the ticket of a regression. A job; may be run at any time, any number of times.

    `wall` is real time: how long a request may be in flight does not depend on the sandbox's clock.

    Raises: UpstreamError: Jira cannot just now (passing: run again), or refuses (permanent; noted on the ticket).
    """
    if ctx.jira is None:
        _note_problem(ctx, fingerprint, NO_JIRA)
        return
    try:
        _until_nothing_is_left(ctx, ctx.jira, fingerprint, wall)
    except ConflictError as error:
        raise UpstreamError("jira", f"another worker has this ticket: {error}", permanent=False) from error
    except UpstreamError as error:
        if error.permanent:
            _note_problem(ctx, fingerprint, error.message)
        raise


def _until_nothing_is_left(ctx: Context, jira: JiraClient, fingerprint: str, wall: Clock) -> None:
    seen: JiraFacts | None = None
    for _ in range(MOST_STEPS):
        with reading(ctx.databases.control) as session:
            ticket = tickets.load(session, fingerprint)
        step = next_step(ticket, seen, ctx.clock(), wall=wall())
        if isinstance(step, Nothing | Later):
            _rest(ctx, ticket, step)
            return
        seen = _take(ctx, jira, ticket, step, wall)
    raise UpstreamError("jira", f"the ticket {fingerprint} changes faster than it can be told", permanent=False)


def _rest(ctx: Context, ticket: Ticket, step: Nothing | Later) -> None:
    if isinstance(step, Later):
        with ctx.databases.control.begin() as session:
            tickets.later(session, ticket, step.at, ctx.clock())
    log.info("ticket.rests", extra={"ticket": ticket.fingerprint, "step": type(step).__name__})


def _take(ctx: Context, jira: JiraClient, ticket: Ticket, step: Step, wall: Clock) -> JiraFacts | None:
    match step:
        case LookUp():
            return _look_up(jira, ticket)
        case Create(after):
            _create(ctx, jira, ticket, after, wall)
        case Adopt(key, band):
            _opened(ctx, ticket, key, band, how="adopted")
        case PutLink(key):
            _put_link(ctx, jira, ticket, key)
        case Comment(key, mark):
            _comment(ctx, jira, ticket, key, mark, wall)
        case Note(band):
            _said(ctx, ticket, band)
        case Wait(reason):
            raise UpstreamError("jira", f"{ticket.fingerprint}: {reason}", permanent=False)
        case Later() | Nothing():
            pass
        case _:
            assert_never(step)
    return None


def _look_up(jira: JiraClient, ticket: Ticket) -> JiraFacts:
    if ticket.key is not None:
        words = views.comment_words(ticket.regression, ticket.attempt or "")
        return JiraFacts(key=ticket.key, certain=True, commented=jira.has_comment(ticket.key, words))
    found = jira.look_up(
        label=label(ticket.fingerprint), mark=PROPERTY, value=ticket.fingerprint, after=ticket.attempt_after
    )
    key = None if found.issue is None else found.issue.key
    return JiraFacts(key=key, certain=found.certain, newest=found.newest)


def _create(ctx: Context, jira: JiraClient, ticket: Ticket, after: int, wall: Clock) -> None:
    with ctx.databases.control.begin() as session:
        claimed = tickets.claim_create(session, ticket, after=after, wall=wall())
    regression = claimed.regression
    try:
        key = jira.create(
            summary=views.summary(regression),
            description=views.description(regression, ctx.settings.slack_command),
            labels=("muster", label(regression.fingerprint)),
            properties={PROPERTY: mark(regression.fingerprint)},
        )
    except OutcomeUnknownError:
        raise  # the claim stands: the next run looks first
    except UpstreamError:
        with ctx.databases.control.begin() as session:
            tickets.refused(session, claimed)
        raise
    _opened(ctx, claimed, key, claimed.band, how="created")


def mark(fingerprint: str) -> dict[str, str]:
    """Return the value of the property by which an issue is known to be ours."""
    return {"fingerprint": fingerprint}


def _opened(ctx: Context, ticket: Ticket, key: str, band: int, *, how: str) -> None:
    now = ctx.clock()
    with ctx.databases.control.begin() as session:
        tickets.opened(session, ticket.fingerprint, key, now, told_band=band)
        subject = ticket.regression.release_id or ticket.fingerprint
        facts = {"key": key, "fingerprint": ticket.fingerprint}
        audit.record(session, who="muster", what="ticket.opened", subject=subject, now=now, facts=facts)
        if release := ticket.regression.release_id:
            enqueue(session, "show_card", key=f"{release}/ticket/{key}", release=release)
    log.info("ticket.opened", extra={"ticket": ticket.fingerprint, "key": key, "how": how})


def _put_link(ctx: Context, jira: JiraClient, ticket: Ticket, key: str) -> None:
    regression = ticket.regression
    title = f"Muster: {regression.release or regression.model} {regression.first_bad_version}"
    jira.put_link(key, global_id=f"muster:{ticket.fingerprint}", title=title, url=_back(ctx, ticket))
    with ctx.databases.control.begin() as session:
        tickets.noted(session, ticket.fingerprint, linked=True, problem=None)


def _back(ctx: Context, ticket: Ticket) -> str:
    """Return where the link on the issue leads: what the facts name, else the thread in Slack, else Muster itself."""
    if ticket.regression.links:
        return ticket.regression.links[0].url
    if ticket.channel and ticket.thread:
        try:
            reply = ctx.slack.chat_getPermalink(channel=ticket.channel, message_ts=ticket.thread)
            return str(reply["permalink"])
        except (SlackClientError, HTTPException, OSError) as error:
            log.warning("ticket.no_permalink", extra={"reason": type(error).__name__})
    return ctx.settings.public_url


def _comment(ctx: Context, jira: JiraClient, ticket: Ticket, key: str, mark: str, wall: Clock) -> None:
    with ctx.databases.control.begin() as session:
        claimed = tickets.claim_comment(session, ticket, mark, wall=wall())
    try:
        jira.comment(key, views.band_comment(claimed.regression, mark))
    except OutcomeUnknownError:
        raise
    except UpstreamError:
        with ctx.databases.control.begin() as session:
            tickets.refused(session, claimed)
        raise
    _said(ctx, claimed, claimed.band)


def _said(ctx: Context, ticket: Ticket, band: int) -> None:
    with ctx.databases.control.begin() as session:
        tickets.said(session, ticket.fingerprint, ctx.clock(), told_band=band)
    log.info("ticket.commented", extra={"ticket": ticket.fingerprint, "band": band})


def _note_problem(ctx: Context, fingerprint: str, problem: str) -> None:
    with ctx.databases.control.begin() as session:
        tickets.noted(session, fingerprint, problem=problem)


def announce_ticket(ctx: Context, fingerprint: str) -> None:
    """Tell people, in the thread of the release's card when there is one, that the ticket is there. A job.

    Once, but for a crash just after posting, which repeats the message.
    Raises: UpstreamError: Slack cannot just now, or refuses.
    """
    with reading(ctx.databases.control) as session:
        ticket = tickets.load(session, fingerprint)
        channel = ticket.channel or ctx.settings.slack_channel
        if ticket.announced or ticket.key is None or channel is None or ctx.jira is None:
            return
        thread = ticket.thread or _card(session, ticket, channel)
    speech.post(ctx.slack, channel, views.announcement(ticket, ctx.jira.browse_url(ticket.key)), thread=thread)
    with ctx.databases.control.begin() as session:
        tickets.noted(session, fingerprint, announced=True)


def _card(session: Session, ticket: Ticket, channel: str) -> str | None:
    card = cards.find(session, ticket.regression.release_id or "", channel)
    return card.ts or None if card else None
