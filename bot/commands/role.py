"""`role list | grant @u approver model=kws | revoke …`: who may do what; only admins change it."""

from __future__ import annotations

import re
from typing import cast

from bot import permissions, store
from bot.context import Context
from bot.grammar import closest
from bot.permissions import ROLES, Role
from bot.request import Request
from bot.store import EVERY_MODEL
from bot.views import status as views
from bot.views.blocks import Message, escape, section
from core import audit
from core.db import reading
from core.errors import InvalidInputError, Problem

_PERSON = re.compile(r"@?([UW][A-Z0-9]{2,})")


def run(ctx: Context, request: Request) -> Message:
    if request.verb == "list":
        request.only()
        with reading(ctx.databases.control) as session:
            return views.roles(store.grants(session), ctx.settings.slack_admins)
    return _change(ctx, request)


def _change(ctx: Context, request: Request) -> Message:
    request.only("model", words=1)
    person, role = _whom(ctx, request)
    model = request.options.get("model", EVERY_MODEL)
    where = None if model == EVERY_MODEL else model
    now, by = ctx.clock(), request.person.id
    with ctx.databases.control.begin() as session:
        act = f"{request.verb} roles"
        permissions.require(session, ctx.settings.slack_admins, by, ["admin"], model=model, act=act)
        if not request.is_dry_run:
            if request.verb == "grant":
                changed = store.grant(session, person=person, role=role, model=model, by=by, now=now)
            else:
                changed = store.revoke(session, person=person, role=role, model=model)
            if changed:
                facts = {"role": role, "model": model}
                audit.record(session, who=by, what=f"role.{request.verb}", subject=person, now=now, facts=facts)
        else:
            changed = True
    if request.verb == "revoke" and role == "admin" and person in ctx.settings.slack_admins:
        text = f"<@{person}> is admin by the setting MUSTER_SLACK_ADMINS; whoever runs me takes them out of it there."
        return Message(text=text, blocks=(section(text),))
    return _said(request, person, role, where, changed)


def _whom(ctx: Context, request: Request) -> tuple[str, Role]:
    command = ctx.settings.slack_command
    target = request.needed_target(f"{command} role {request.verb} @mia approver model=kws")
    match = _PERSON.fullmatch(target)
    word = request.words[0].lower() if request.words else ""
    problems = []
    if match is None:
        problems.append(Problem(target, "is nobody I know: mention somebody with @"))
    if word not in ROLES:
        near = closest(word, ROLES)
        guess = f"; did you mean {near}?" if near else ""
        problems.append(Problem(word or "the role", f"must be one of {', '.join(ROLES)}{guess}"))
    if match is None or problems:
        raise InvalidInputError(*problems)
    return match[1], cast(Role, word)


def _said(request: Request, person: str, role: Role, model: str | None, changed: bool) -> Message:
    where = escape(model) if model else "every model"
    if request.is_dry_run:
        verb = "become" if request.verb == "grant" else "no longer be"
        text = f"Dry run: <@{person}> would {verb} {role} of {where}. Nothing was changed."
        return Message(text=text, blocks=(section(text),))
    if request.verb == "grant":
        text = f"<@{person}> is now {role} of {where}." if changed else f"<@{person}> was {role} of {where} already."
    else:
        text = f"<@{person}> is no longer {role} of {where}." if changed else f"<@{person}> was not {role} of {where}."
    return Message(text=text, blocks=(section(text),), in_channel=changed)
