"""What people hear of a ticket's issue, and what Jira tells us of it by its webhook."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot import cards, speech, ticket_notes, tickets
from bot.context import Context
from bot.flows import showing
from bot.ticket_rules import Ticket, is_refusal
from bot.views import ticket as views
from core import audit
from core.db import reading
from core.engine import enqueue
from integrations.jira import Issue

JIRA = "jira"


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


def look_at_issue(ctx: Context, issue: str) -> None:
    """Read an issue that people may have closed, opened or deleted, and note what is so. A job.

    A webhook says only which issue changed; what is true is read, so that late and swapped ones do no harm.
    Raises: UpstreamError: Jira cannot just now.
    """
    if ctx.jira is None:
        return
    with reading(ctx.databases.control) as session:
        before = tickets.with_key(session, issue)
    if before is None:
        return
    there = ctx.jira.find(issue)
    with ctx.databases.control.begin() as session:
        after = _noted(session, ctx, before, there)
        if after.revision == before.revision:
            return
        subject = after.regression.release_id or after.fingerprint
        facts = {"key": issue, "state": after.state, "resolution": after.resolution}
        audit.record(session, who=JIRA, what="ticket.changed", subject=subject, now=ctx.clock(), facts=facts)
        if release := after.regression.release_id:
            enqueue(session, "show_card", key=f"{release}/ticket/{after.revision}", release=release)
        mark, number = after.fingerprint, str(after.revision)
        enqueue(session, "tell_issue", key=f"{mark}/{number}", fingerprint=mark, revision=number)


def _noted(session: Session, ctx: Context, ticket: Ticket, issue: Issue | None) -> Ticket:
    now, fingerprint = ctx.clock(), ticket.fingerprint
    if issue is None:
        return ticket if ticket.state == "done" else ticket_notes.gone(session, fingerprint, now)
    if issue.category != "done":
        was_closed = ticket.state == "done" or (ticket.state == "muted" and ticket.resolution is not None)
        return ticket_notes.reopened(session, fingerprint, by_us=False) if was_closed else ticket
    if is_refusal(issue.resolution, issue.status):
        return ticket_notes.refused_for_good(session, fingerprint, now, resolution=issue.resolution)
    return ticket_notes.closed(session, fingerprint, now, resolution=issue.resolution)


def tell_issue(ctx: Context, fingerprint: str, revision: str) -> None:
    """Tell the thread what somebody did to the issue. A job. Raises: UpstreamError: as announce_ticket."""
    with reading(ctx.databases.control) as session:
        ticket = tickets.load(session, fingerprint)
        channel = ticket.channel or ctx.settings.slack_channel
        if channel is None or ctx.jira is None or ticket.key is None:
            return
        thread = ticket.thread or _card(session, ticket, channel)
    told = views.changed(ticket, ctx.jira.browse_url(ticket.key))
    showing.say_once(ctx, f"ticket/{fingerprint}/{revision}", channel, told, thread=thread)
