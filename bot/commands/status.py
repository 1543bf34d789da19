"""`status [model]`: what is going on, and how stale a model is that is named."""

from __future__ import annotations

from bot import overview
from bot.commands.drift import told_age
from bot.commands.model import artifacts_of
from bot.context import Context
from bot.flows import drift as flow
from bot.request import Request
from bot.views import status as views
from bot.views.blocks import Message


def run(ctx: Context, request: Request) -> Message:
    request.only()
    facts = overview.look(ctx, request.person.id, model=request.target)
    if request.target is not None and not facts.releases and not facts.polls:
        artifacts_of(ctx, request.target)
    command = ctx.settings.slack_command
    age = None if request.target is None else flow.age(ctx, request.target)
    if age is None:
        return views.status(facts, command)
    return views.status(facts, command, age=told_age(age, command), stale=age.stale.reasons)
