"""`release freeze add "Fri 16:00 – Mon 08:00 Europe/Berlin" | list | remove F1`: when nothing widens."""

from __future__ import annotations

from bot import permissions
from bot.context import Context
from bot.grammar import closest
from bot.permissions import Role
from bot.request import Request
from bot.views import freezes as views
from bot.views.blocks import Message
from core import audit
from core.db import reading
from core.errors import InvalidInputError, Problem
from releases import freeze as freezes
from releases.freeze import ends_at
from releases.freeze_store import add_freeze, frozen, list_freezes, remove_freeze

VERBS = ("add", "list", "remove")
WORDS = {"rm": "remove", "delete": "remove", "show": "list", "ls": "list", "new": "add", "create": "add"}
ROLES: tuple[Role, ...] = ("operator", "approver")
EXAMPLE = 'release freeze add "Fri 16:00 - Mon 08:00 Europe/Berlin"'


def run(ctx: Context, request: Request) -> Message:
    said = (request.target or "list").lower()
    match WORDS.get(said, said):
        case "list":
            return _list(ctx, request)
        case "add":
            return _add(ctx, request)
        case "remove":
            return _remove(ctx, request)
        case _:
            near = closest(said, [*VERBS, *WORDS])
            guess = f"; did you mean {WORDS.get(near, near)}?" if near else ""
            raise InvalidInputError(Problem(said, f"must be add, list or remove{guess}"))


def _list(ctx: Context, request: Request) -> Message:
    request.only()
    now = ctx.clock()
    with reading(ctx.databases.control) as session:
        kept = list_freezes(session, app=ctx.settings.app)
        ice = frozen(session, app=ctx.settings.app, now=now)
    return views.calendar(kept, ice, f"{ctx.settings.slack_command} {EXAMPLE}")


def _add(ctx: Context, request: Request) -> Message:
    request.only("reason", words=len(request.words))
    rule = " ".join(request.words)
    if not rule:
        raise InvalidInputError(Problem("", f"say when; for example: `{ctx.settings.slack_command} {EXAMPLE}`"))
    now, by, app = ctx.clock(), request.person.id, ctx.settings.app
    with ctx.databases.control.begin() as session:
        permissions.require(session, ctx.settings.slack_admins, by, ROLES, model=None, act="change the freezes")
        read = freezes.parse(rule)
        known = {freezes.text(kept.freeze): kept.freeze for kept in list_freezes(session, app=app)}
        before = known.get(freezes.text(read))
        if before is None and not request.is_dry_run:
            reason = request.options.get("reason")
            read = add_freeze(session, rule, app=app, by=by, now=now, reason=reason)
            facts = {"rule": freezes.text(read), "reason": reason}
            audit.record(session, who=by, what="freeze.added", subject=read.name or "", now=now, facts=facts)
    if before is not None:
        return views.known(before)
    return views.added(read, ends_at(read, now), by=by, is_dry_run=request.is_dry_run)


def _remove(ctx: Context, request: Request) -> Message:
    request.only(words=1)
    if not request.words:
        raise InvalidInputError(
            Problem("", f"name it; for example: `{ctx.settings.slack_command} release freeze remove F1`")
        )
    now, by = ctx.clock(), request.person.id
    with ctx.databases.control.begin() as session:
        permissions.require(session, ctx.settings.slack_admins, by, ROLES, model=None, act="change the freezes")
        freeze = remove_freeze(session, request.words[0], app=ctx.settings.app, by=by, now=now)
        facts = {"rule": freezes.text(freeze), "reason": freeze.reason}
        audit.record(session, who=by, what="freeze.removed", subject=freeze.name or "", now=now, facts=facts)
        if request.is_dry_run:
            session.rollback()
    return views.removed(freeze, by=by, is_dry_run=request.is_dry_run)
