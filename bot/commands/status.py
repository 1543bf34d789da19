"""`status [model]`: what is going on."""

from __future__ import annotations

from bot import overview
from bot.commands.request import Request
from bot.context import Context
from bot.views import status as views
from bot.views.blocks import Message


def run(ctx: Context, request: Request) -> Message:
    request.only()
    return views.status(overview.look(ctx, request.person.id, model=request.target), ctx.settings.slack_command)
