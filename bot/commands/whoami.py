"""`whoami`: who you are to us and what you may do."""

from __future__ import annotations

from bot import overview
from bot.context import Context
from bot.request import Request
from bot.views import status as views
from bot.views.blocks import Message


def run(ctx: Context, request: Request) -> Message:
    request.only()
    return views.whoami(overview.look(ctx, request.person.id))
