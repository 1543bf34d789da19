"""`release compare R12` and `release decide R12 1.5.0 reason=…`: two candidates against one baseline."""

from __future__ import annotations

from bot.context import Context
from bot.flows import versus
from bot.request import Request
from bot.views import comparison as views
from bot.views.blocks import Message
from core.db import reading
from core.errors import InvalidInputError, Problem
from releases import store


def compare(ctx: Context, request: Request) -> Message:
    request.only()
    ref = request.needed_target(f"{ctx.settings.slack_command} release compare R12")
    with reading(ctx.databases.control) as session:
        release = store.load_release(session, ref)
    return views.report(release, versus.compare_now(ctx, release), command=ctx.settings.slack_command)


def decide(ctx: Context, request: Request) -> Message:
    example = f'{ctx.settings.slack_command} release decide R12 1.5.0 reason="better on low-end phones"'
    request.only("reason", words=1)
    ref = request.needed_target(example)
    if not request.words:
        with reading(ctx.databases.control) as session:
            versus.require_two(store.load_release(session, ref))
        raise InvalidInputError(Problem("", f"say which one, or neither; for example: `{example}`"))
    found = versus.decide(
        ctx, ref, request.words[0], reason=request.options.get("reason"), by=request.person.id, now=ctx.clock(),
        dry_run=request.is_dry_run, delivery=request.delivery,
    )  # fmt: skip
    return views.decided(found.release, found.rollout, found.record, is_new=found.is_new, dry_run=request.is_dry_run)
