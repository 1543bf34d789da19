"""`feedback themes kws`, `feedback label kws q1f… theme=…`, `feedback ticket kws theme=…`: what people write about."""

from __future__ import annotations

from datetime import timedelta

from bot import grammar, themes
from bot.context import Context
from bot.flows import themes as flow
from bot.permissions import ANY_ROLE, require
from bot.request import Request
from bot.views import feedback as feedback_views
from bot.views import themes as views
from bot.views import ticket as ticket_views
from bot.views.blocks import Message
from core.db import reading
from core.errors import InvalidInputError, Problem, all_of
from core.values import period, segment

WEEK = timedelta(days=7)


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "label":
            return _label(ctx, request)
        case "ticket":
            return _ticket(ctx, request)
        case _:
            return _themes(ctx, request)


def _themes(ctx: Context, request: Request) -> Message:
    request.only("since", "where")
    asked = _asked(ctx, request)
    found = flow.tell(ctx, asked)
    options = dict(request.options)
    line = grammar.line(grammar.Command(noun="feedback", verb="themes", target=asked.model, options=options))
    who = feedback_views.who(asked.model, asked.since, asked.where)
    return views.told(
        who, asked.model, views.period(asked.since), found, minimum=ctx.settings.minimum_cohort, line=line,
        shared=request.is_shared,
    )  # fmt: skip


def _label(ctx: Context, request: Request) -> Message:
    request.only("theme", words=1)
    example = f'{ctx.settings.slack_command} feedback label kws q1f2e3d4c5b6 theme="too slow"'
    model = request.needed_target(example)
    if not request.words:
        raise InvalidInputError(Problem("", f"name the text as well; for example: `{example}`"))
    by = request.person.id
    with reading(ctx.databases.control) as session:
        require(session, ctx.settings.slack_admins, by, ANY_ROLE, model=model, act=f"label what people say of {model}")
    text, theme = request.words[0], request.options.get("theme")
    name = flow.label(ctx, model, text, theme, by=by, is_dry_run=request.is_dry_run)
    with reading(ctx.databases.control) as session:
        known = list(themes.labels(session, app=ctx.settings.app, model=model).values())
    return views.labeled(name, known.count(name), is_dry_run=request.is_dry_run)


def _ticket(ctx: Context, request: Request) -> Message:
    request.only("theme", "since", "where")
    asked = _asked(ctx, request)
    by = request.person.id
    with reading(ctx.databases.control) as session:
        admins = ctx.settings.slack_admins
        require(session, admins, by, ANY_ROLE, model=asked.model, act=f"open a ticket for {asked.model}")
    ticket = flow.want_ticket(
        ctx, asked, request.options.get("theme"), by=by, channel=request.channel or None,
        is_dry_run=request.is_dry_run,
    )  # fmt: skip
    jira = ctx.jira
    return ticket_views.wanted(
        (ticket,), lambda key: jira.browse_url(key) if jira is not None else ctx.settings.public_url, by=by,
        is_dry_run=request.is_dry_run,
    )  # fmt: skip


def _asked(ctx: Context, request: Request) -> flow.Asked:
    all_of(lambda: period(request.options.get("since"), default=WEEK), lambda: segment(request.options.get("where")))
    return flow.Asked(
        model=request.needed_target(f"{ctx.settings.slack_command} feedback themes kws since=7d"),
        since=period(request.options.get("since"), default=WEEK),
        where=segment(request.options.get("where")),
    )
