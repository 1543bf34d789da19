"""`undo [R12]`: take back the last thing one changed, for ten minutes, where that is still possible."""

from __future__ import annotations

from bot.context import Context
from bot.flows import undo as flow
from bot.request import Request
from bot.views import undo as views
from bot.views.blocks import Message


def run(ctx: Context, request: Request) -> Message:
    request.only()
    done = flow.undo(ctx, request.person.id, request.target, now=ctx.clock(), dry_run=request.is_dry_run)
    return views.undone(done.name, done.entry, done.late, done.fetched, is_dry_run=request.is_dry_run)
