"""`subscribe kws releases regressions digests [thread|broadcast] [where=…]` and `subscribe list`, for this channel."""

from __future__ import annotations

from bot.context import Context
from bot.flows import subscribe as flow
from bot.request import Request
from bot.views import subscription as views
from bot.views.blocks import Message
from core.values import segment


def run(ctx: Context, request: Request) -> Message:
    if request.verb == "list":
        request.only()
        return views.listing(flow.listed(ctx, None), ctx.settings.slack_command)
    request.only("where", words=6)
    model = request.needed_target(f"{ctx.settings.slack_command} subscribe kws releases regressions digests")
    words = (model, *request.words)
    wanted = flow.wanted(ctx, request.channel, words, segment(request.options.get("where")), by=request.person.id)
    if not request.is_dry_run:
        flow.put(ctx, wanted, by=request.person.id)
    return views.subscribed(wanted, by=request.person.id, is_dry_run=request.is_dry_run)
