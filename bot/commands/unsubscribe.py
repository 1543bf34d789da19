"""`unsubscribe kws [releases …]`: this channel hears no more of it."""

from __future__ import annotations

from bot.context import Context
from bot.flows import subscribe as flow
from bot.request import Request
from bot.views import subscription as views
from bot.views.blocks import Message
from core.segments import EVERYONE


def run(ctx: Context, request: Request) -> Message:
    request.only(words=6)
    model = request.needed_target(f"{ctx.settings.slack_command} unsubscribe kws releases")
    wanted = flow.wanted(ctx, request.channel, (model, *request.words), EVERYONE, by=request.person.id)
    gone = flow.drop(ctx, wanted, by=request.person.id, is_dry_run=request.is_dry_run)
    return views.unsubscribed(gone, wanted[0].model, by=request.person.id, is_dry_run=request.is_dry_run)
