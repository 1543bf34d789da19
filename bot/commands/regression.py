"""`regression list [kws] | show <fingerprint>`: which cohorts got worse, how sure that is, what else it might be."""

from __future__ import annotations

from datetime import timedelta

from bot import regressions, tickets
from bot.context import Context
from bot.regressions import Found
from bot.request import Request
from bot.ticket_rules import Ticket
from bot.views import regression as views
from bot.views.blocks import Message
from core.db import reading
from core.errors import NotFoundError

SHOWN_AFTER = timedelta(days=30)
TICKETS = 200


def run(ctx: Context, request: Request) -> Message:
    return _show(ctx, request) if request.verb == "show" else _list(ctx, request)


def _list(ctx: Context, request: Request) -> Message:
    request.only("model")
    model = request.options.get("model", request.target)
    with reading(ctx.databases.control) as session:
        found = regressions.recent(session, app=ctx.settings.app, model=model, since=ctx.clock() - SHOWN_AFTER)
        known = tickets.recent(session, app=ctx.settings.app, model=model, limit=TICKETS)
    keys = {ticket.fingerprint: ticket.key or "being opened" for ticket in known}
    return views.listing(found, model=model, keys=keys, shared=request.is_shared)


def _show(ctx: Context, request: Request) -> Message:
    request.only()
    command = ctx.settings.slack_command
    ref = request.needed_target(f"{command} regression show 3f2a91bc")
    with reading(ctx.databases.control) as session:
        found = _one(regressions.find(session, ctx.settings.app, ref), tickets.find(session, ref), ref, command)
        ticket = tickets.find(session, found.fingerprint)
    key = ticket.key if ticket else None
    url = ctx.jira.browse_url(key) if ctx.jira and key else None
    return views.one(found, key=key, url=url, shared=request.is_shared)


def _one(found: tuple[Found, ...], ticket: Ticket | None, ref: str, command: str) -> Found:
    if not found and ticket is not None:
        of = ticket.regression
        about = f"what a guardrail of {of.release} found" if of.release else "what a person reported"
        raise NotFoundError(
            f"{ticket.fingerprint} is {about}, not a regression that was looked for: "
            f"`{command} ticket show {ticket.fingerprint}` tells it."
        )
    if not found:
        raise NotFoundError(f"There is no regression {ref}; `{command} regression list` shows those there are.")
    if len(found) > 1:
        raise NotFoundError(f"More than one regression begins with {ref}; give more of its digits.")
    return found[0]
