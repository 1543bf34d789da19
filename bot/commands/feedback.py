"""`feedback kws by=chipset since=7d where="…"`: what people say about a model, by cohort."""

from __future__ import annotations

from datetime import timedelta

from bot.commands import grammar
from bot.commands.request import Request
from bot.commands.values import period, segment
from bot.context import Context
from bot.flows import cohort_report
from bot.flows.cohort_report import Asked
from bot.views import feedback as views
from bot.views.blocks import Message
from core.device import DeviceContext
from core.errors import InvalidInputError, Problem

WEEK = timedelta(days=7)
BY = "chipset"
QUOTES = 5
DEVICE_FACTS = ("device", "chipset", "accelerator", "platform", "model_version")


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "quotes":
            return _quotes(ctx, request)
        case "compare":
            return _report(ctx, request, by="model_version")
        case _:
            return _report(ctx, request, by=BY)


def _report(ctx: Context, request: Request, *, by: str) -> Message:
    request.only("by", "since", "where", "poll")
    model = request.needed_target(f"{ctx.settings.slack_command} feedback kws by=chipset since=7d")
    since = period(request.options.get("since"), default=WEEK)
    asked = Asked(
        model=model,
        attribute=request.options.get("by", by),
        since=since,
        where=segment(request.options.get("where")),
        poll=request.options.get("poll"),
    )
    poll, report = cohort_report.report(ctx, asked)
    version = cohort_report.version_in_question(ctx, model)
    return views.cohort_report(report, since=since, poll=poll.poll.name, version=version, shared=request.is_shared)


def _quotes(ctx: Context, request: Request) -> Message:
    request.only("since", "where", "limit")
    model = request.needed_target(f"{ctx.settings.slack_command} feedback quotes kws")
    since = period(request.options.get("since"), default=WEEK)
    where = segment(request.options.get("where"))
    limit = _limit(request.options.get("limit"))
    found = cohort_report.verbatims(ctx, model=model, since=since, where=where, limit=limit)
    quotes = None
    if found.quotes is not None:
        quotes = [
            views.Verbatim(text=quote.text, device=_device(quote.device), rating=quote.rating) for quote in found.quotes
        ]
    options = {key: value for key, value in request.options.items() if key != "limit"}
    line = grammar.line(grammar.Command(noun="feedback", verb="quotes", target=model, options=options))
    return views.verbatims(model, since, where, found.minimum, quotes, line=line, shared=request.is_shared)


def _limit(text: str | None) -> int:
    if text is None:
        return QUOTES
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 20:
        raise InvalidInputError(Problem("limit", "must be a number from 1 to 20"))
    return int(text)


def _device(device: DeviceContext) -> str:
    """The coarse facts that a report shows anyway."""
    return ", ".join(label for name in DEVICE_FACTS if (label := device.label(name)) is not None)
