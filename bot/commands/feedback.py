"""`feedback kws by=chipset since=7d where="…"`: what people say about a model, by cohort."""

from __future__ import annotations

from datetime import timedelta

from bot import grammar, priorities_web
from bot.commands import themes as theme_commands
from bot.context import Context
from bot.flows import cohort_report, drift, priorities, themes
from bot.request import Request
from bot.views import feedback as views
from bot.views import priorities as priority_views
from bot.views import themes as theme_views
from bot.views.blocks import Message
from core.errors import InvalidInputError, Problem, all_of
from core.segments import Segment
from core.values import period, segment
from feedback.reporting import Asked

WEEK = timedelta(days=7)
BY = "chipset"
QUOTES = 5


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "quotes":
            return _quotes(ctx, request)
        case "priorities":
            return _priorities(ctx, request)
        case "themes" | "label" | "ticket":
            return theme_commands.run(ctx, request)
        case "compare":
            return _report(ctx, request, by="model_version")
        case _:
            return _report(ctx, request, by=BY)


def _report(ctx: Context, request: Request, *, by: str) -> Message:
    known = ("by", "since", "where", "poll")
    all_of(lambda: request.only(*known), lambda: _since(request), lambda: _where(request))
    asked = _asked(ctx, request, by=by)
    poll, report = cohort_report.report(ctx, asked)
    version = cohort_report.version_in_question(ctx, asked.model)
    return views.cohort_report(
        report, since=asked.since, poll=poll.poll.name, version=version, shared=request.is_shared
    )  # fmt: skip


def _quotes(ctx: Context, request: Request) -> Message:
    known = ("by", "since", "where", "poll", "limit")
    all_of(lambda: request.only(*known), lambda: _since(request), lambda: _where(request))
    asked = _asked(ctx, request, by=BY)
    found = cohort_report.verbatims(ctx, asked, limit=_limit(request.options.get("limit")))
    options = dict(request.options)
    line = grammar.line(grammar.Command(noun="feedback", verb="quotes", target=asked.model, options=options))
    quotes = None
    offered: tuple[str, ...] = ()
    if found is not None:
        names = themes.named(ctx, themes.Asked(model=asked.model, since=asked.since, where=asked.where))
        offered = themes.offered(ctx, asked.model)
        quotes = [
            views.Verbatim(text=each.text, cohort=each.cohort, rating=each.rating, name=names.get(each.text))
            for each in found
        ]
    who = views.who(asked.model, asked.since, asked.where)
    return views.verbatims(
        who, ctx.settings.minimum_cohort, quotes, line=line, shared=request.is_shared,
        labels=lambda name, mark: theme_views.label_buttons(asked.model, name, offered, mark=mark),
    )  # fmt: skip


def _priorities(ctx: Context, request: Request) -> Message:
    request.only()
    if request.target is not None:
        drift.require_model(ctx, request.target)
    made = priorities.compose(ctx, request.target)
    url = priorities_web.url_of(made, ctx.settings)
    return priority_views.message(made, url=url, shared=request.is_shared)


def _asked(ctx: Context, request: Request, *, by: str) -> Asked:
    return Asked(
        model=request.needed_target(f"{ctx.settings.slack_command} feedback kws by=chipset since=7d"),
        attribute=request.options.get("by", by),
        since=_since(request),
        where=_where(request),
        poll=request.options.get("poll"),
    )


def _since(request: Request) -> timedelta:
    return period(request.options.get("since"), default=WEEK)


def _where(request: Request) -> Segment:
    return segment(request.options.get("where"))


def _limit(text: str | None) -> int:
    if text is None:
        return QUOTES
    if not text.isascii() or not text.isdigit() or len(text) > 2 or not 1 <= int(text) <= 20:
        raise InvalidInputError(Problem("limit", "must be a number from 1 to 20"))
    return int(text)
