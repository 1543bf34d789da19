"""Opening the ticket of a regression: exactly one, whatever Jira, the network or this process do meanwhile.

Each turn reads the row, asks `next_step` and takes that one step. Nothing is kept in memory between turns,
so the job may be cut off anywhere and run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http.client import HTTPException
from typing import assert_never

from slack_sdk.errors import SlackClientError
from sqlalchemy.orm import Session

from bot import model_owners, ticket_notes, tickets
from bot.context import Context
from bot.model_owners import Owner
from bot.ticket_rules import Ticket, is_heal_mark, is_refusal, label
from bot.ticket_steps import (
    Adopt,
    Close,
    Comment,
    Create,
    JiraFacts,
    Later,
    LookUp,
    Note,
    NoteState,
    Nothing,
    Policy,
    PutLink,
    Relate,
    Renew,
    Reopen,
    Step,
    Wait,
    next_step,
)
from bot.views import ticket as views
from core import audit
from core.clock import Clock, system_clock
from core.db import reading
from core.engine import enqueue
from core.errors import ConflictError, UpstreamError
from integrations.http import OutcomeUnknownError
from integrations.jira import IssueGoneError, JiraClient

log = logging.getLogger(__name__)

PROPERTY = "muster"
MOST_STEPS = 12
NO_JIRA = "no Jira is set up: MUSTER_JIRA_URL, _TOKEN and _PROJECT"


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
        step = next_step(ticket, seen, ctx.clock(), wall=wall(), policy=policy(ctx))
        if isinstance(step, Nothing | Later):
            _rest(ctx, ticket, step)
            return
        try:
            seen = _take(ctx, jira, ticket, step, wall)
        except IssueGoneError:
            seen = None
            _note(ctx, ticket, lambda session: ticket_notes.gone(session, fingerprint, ctx.clock()))
    raise UpstreamError("jira", f"the ticket {fingerprint} changes faster than it can be told", permanent=False)


def policy(ctx: Context) -> Policy:
    told = ctx.settings
    return Policy(
        heals_after=timedelta(hours=told.ticket_heals_after_h),
        closes=told.ticket_closes,
        reopens_within=timedelta(days=told.ticket_reopens_days),
    )


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
        case Relate(key, to):
            jira.relate(key, to)
            _note(ctx, ticket, lambda session: tickets.noted(session, ticket.fingerprint, related=True))
        case Comment(key, mark):
            _comment(ctx, jira, ticket, key, mark, wall)
        case Note(mark):
            _said(ctx, ticket, mark)
        case Close() | Reopen() | Renew() | NoteState():
            _turn(ctx, jira, ticket, step)
        case Wait(reason):
            raise UpstreamError("jira", f"{ticket.fingerprint}: {reason}", permanent=False)
        case Later() | Nothing():
            pass
        case _:
            assert_never(step)
    return None


def _turn(ctx: Context, jira: JiraClient, ticket: Ticket, step: Close | Reopen | Renew | NoteState) -> None:
    """Open or close the issue, or start over. Each of these sees in the next look-up that it has been done."""
    now, fingerprint = ctx.clock(), ticket.fingerprint
    match step:
        case Close(key):
            # A workflow that leads nowhere leaves closing to people: it counts as closed here.
            jira.move(key, "done")
            _note(ctx, ticket, lambda session: ticket_notes.closed(session, fingerprint, now, resolution="healed"))
        case Reopen(key) if jira.move(key, "new", "indeterminate"):
            _note(ctx, ticket, lambda session: ticket_notes.reopened(session, fingerprint, by_us=True))
        case Reopen(key):
            _note(ctx, ticket, lambda session: ticket_notes.renew(session, fingerprint, relates_to=key))
        case Renew(key_before):
            _note(ctx, ticket, lambda session: ticket_notes.renew(session, fingerprint, relates_to=key_before))
        case NoteState("open"):
            _note(ctx, ticket, lambda session: ticket_notes.reopened(session, fingerprint, by_us=True))
        case NoteState("done"):
            _note(ctx, ticket, lambda session: ticket_notes.closed(session, fingerprint, now, resolution=None))
        case NoteState():
            _note(
                ctx, ticket, lambda session: ticket_notes.refused_for_good(session, fingerprint, now, resolution=None)
            )


def _note(ctx: Context, ticket: Ticket, write: Callable[[Session], Ticket]) -> None:
    """Write down what became of the issue, and have the release's card show it."""
    with ctx.databases.control.begin() as session:
        after = write(session)
        if release := ticket.regression.release_id:
            enqueue(session, "show_card", key=f"{release}/ticket/{after.revision}", release=release)
    log.info("ticket.noted", extra={"ticket": ticket.fingerprint, "state": after.state})


def _look_up(jira: JiraClient, ticket: Ticket) -> JiraFacts:
    if ticket.key is not None:
        issue = jira.find(ticket.key)
        if issue is None:
            return JiraFacts(certain=True)
        is_done = issue.category == "done"
        commented = False
        if ticket.attempt is not None:
            commented = jira.has_comment(ticket.key, views.comment_words(ticket.regression, ticket.attempt))
        return JiraFacts(
            key=ticket.key,
            certain=True,
            commented=commented,
            is_done=is_done,
            is_refused=is_done and is_refusal(issue.resolution, issue.status),
        )
    found = jira.look_up(
        label=label(ticket.fingerprint), mark=PROPERTY, value=mark(ticket), after=ticket.attempt_after
    )  # fmt: skip
    key = None if found.issue is None else found.issue.key
    return JiraFacts(key=key, certain=found.certain, newest=found.newest)


def _create(ctx: Context, jira: JiraClient, ticket: Ticket, after: int, wall: Clock) -> None:
    with ctx.databases.control.begin() as session:
        claimed = ticket_notes.claim_create(session, ticket, after=after, wall=wall())
        owner = model_owners.find(session, ticket.regression.app, ticket.regression.model)
    try:
        key = _post(ctx, jira, claimed, owner)
    except OutcomeUnknownError:
        raise  # the claim stands: the next run looks first
    except UpstreamError:
        with ctx.databases.control.begin() as session:
            ticket_notes.refused(session, claimed)
        raise
    _opened(ctx, claimed, key, claimed.band, how="created")


def _post(ctx: Context, jira: JiraClient, ticket: Ticket, owner: Owner | None) -> str:
    """Post the issue; an owner that Jira refuses (somebody has left) must not keep it from being opened."""
    regression = ticket.regression
    post = partial(
        jira.create,
        summary=views.summary(regression),
        description=views.description(regression, ctx.settings.slack_command),
        labels=("muster", label(regression.fingerprint)),
        properties={PROPERTY: mark(ticket)},
    )
    if owner is None:
        return post()
    try:
        return post(assignee=owner.assignee, component=owner.component)
    except UpstreamError as error:
        if not error.permanent:
            raise
        log.warning("ticket.owner_refused", extra={"model": regression.model, "reason": error.message})
        return post()


def mark(ticket: Ticket) -> dict[str, object]:
    """Return the value of the property by which an issue is known to be ours, and which of ours it is."""
    first: dict[str, object] = {"fingerprint": ticket.fingerprint}
    return first if ticket.generation == 1 else {**first, "generation": ticket.generation}


def _opened(ctx: Context, ticket: Ticket, key: str, band: int, *, how: str) -> None:
    now = ctx.clock()
    with ctx.databases.control.begin() as session:
        ticket_notes.opened(session, ticket.fingerprint, key, now, told_band=band)
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
        claimed = ticket_notes.claim_comment(session, ticket, mark, wall=wall())
    try:
        comment = views.heal_comment if is_heal_mark(mark) else views.band_comment
        jira.comment(key, comment(claimed.regression, mark))
    except OutcomeUnknownError:
        raise
    except UpstreamError:
        with ctx.databases.control.begin() as session:
            ticket_notes.refused(session, claimed)
        raise
    _said(ctx, claimed, mark)


def _said(ctx: Context, ticket: Ticket, mark: str) -> None:
    with ctx.databases.control.begin() as session:
        ticket_notes.said(session, ticket.fingerprint, ctx.clock(), mark=mark)
    log.info("ticket.commented", extra={"ticket": ticket.fingerprint, "mark": mark})


def _note_problem(ctx: Context, fingerprint: str, problem: str) -> None:
    with ctx.databases.control.begin() as session:
        tickets.noted(session, fingerprint, problem=problem)
