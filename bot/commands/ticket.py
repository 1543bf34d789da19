"""`ticket list | show … | open R12 | link R12 EDGE-91 | mute <fingerprint> 30d | owner kws assignee=mia@…`."""

from __future__ import annotations

from datetime import timedelta

from bot.context import Context
from bot.flows import owners
from bot.flows import ticket as flow
from bot.flows.ticket import Report
from bot.regression_form import METRICS
from bot.request import Request
from bot.views import ticket as views
from bot.views.blocks import Message
from core.errors import InvalidInputError, Problem
from core.values import period, segment

MONTH = timedelta(days=30)


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "show":
            return _show(ctx, request)
        case "open":
            return _open(ctx, request)
        case "link":
            return _link(ctx, request)
        case "mute":
            return _mute(ctx, request)
        case "owner":
            return _owner(ctx, request)
        case _:
            return _list(ctx, request)


def _list(ctx: Context, request: Request) -> Message:
    request.only("model")
    found = flow.listed(ctx, model=request.options.get("model", request.target))
    return views.listing(found, _url_of(ctx))


def _show(ctx: Context, request: Request) -> Message:
    request.only()
    found = flow.shown(ctx, request.needed_target(f"{ctx.settings.slack_command} ticket show R12"))
    return views.one(found[0], _url_of(ctx)) if len(found) == 1 else views.listing(found, _url_of(ctx))


def _open(ctx: Context, request: Request) -> Message:
    request.only("metric", "where", "reason", "target")
    target = request.target or request.options.get("target")
    if not target:
        flow.require_to_open(ctx, request.person.id)
        target = request.needed_target(f"{ctx.settings.slack_command} ticket open R12")
    metric = request.options.get("metric")
    if metric is not None and metric not in METRICS:
        raise InvalidInputError(Problem("metric", f"must be one of {', '.join(METRICS)}, not {metric}"))
    said = Report(
        target=target,
        metric=metric,
        where=segment(request.options.get("where")),
        reason=request.options.get("reason"),
        by=request.person.id,
        channel=request.channel or None,
        thread=request.thread,
        delivery=request.delivery,
        is_dry_run=request.is_dry_run,
    )
    return views.wanted(flow.report(ctx, said), _url_of(ctx), by=request.person.id, is_dry_run=request.is_dry_run)


def _link(ctx: Context, request: Request) -> Message:
    request.only(words=1)
    example = f"{ctx.settings.slack_command} ticket link R12 EDGE-91"
    ref = request.needed_target(example)
    if not request.words:
        raise InvalidInputError(Problem("", f"name the issue as well; for example: `{example}`"))
    ticket = flow.link(ctx, ref, request.words[0], by=request.person.id, is_dry_run=request.is_dry_run)
    key = request.words[0].upper()
    return views.linked(ticket, key, _url_of(ctx), by=request.person.id, is_dry_run=request.is_dry_run)


def _mute(ctx: Context, request: Request) -> Message:
    request.only(words=1)
    ref = request.needed_target(f"{ctx.settings.slack_command} ticket mute 3f2a91bc 30d")
    span = period(request.words[0] if request.words else None, default=MONTH, name="the period")
    ticket = flow.mute(ctx, ref, span, by=request.person.id, is_dry_run=request.is_dry_run)
    return views.muted(ticket, by=request.person.id, is_dry_run=request.is_dry_run)


def _owner(ctx: Context, request: Request) -> Message:
    """Without an option, who it is; `none` takes it away."""
    request.only("assignee", "component")
    model = request.needed_target(f"{ctx.settings.slack_command} ticket owner kws assignee=mia@example.com")
    if not request.options:
        return views.owner(model, owners.shown(ctx, model), command=ctx.settings.slack_command)
    told = owners.change(
        ctx,
        model,
        assignee=request.options.get("assignee"),
        component=request.options.get("component"),
        by=request.person.id,
        is_dry_run=request.is_dry_run,
    )
    return views.owned(model, told, by=request.person.id, is_dry_run=request.is_dry_run)


def _url_of(ctx: Context) -> views.UrlOf:
    jira = ctx.jira
    return lambda key: jira.browse_url(key) if jira is not None else ctx.settings.public_url
