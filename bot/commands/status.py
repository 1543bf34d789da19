"""`status [model]`: what is going on."""

from __future__ import annotations

from bot import overview
from bot.commands.model import artifacts_of
from bot.context import Context
from bot.request import Request
from bot.views import status as views
from bot.views.blocks import Message


def run(ctx: Context, request: Request) -> Message:
    request.only()
    facts = overview.look(ctx, request.person.id, model=request.target)
    if request.target is not None and not facts.releases and not facts.polls:
        artifacts_of(ctx, request.target)
    return views.status(facts, ctx.settings.slack_command)
