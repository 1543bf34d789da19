"""`job list | show J7 | cancel J7 | register J7 [as=kws@1.4.0+int8]`: what optimizations do, and what they made."""

from __future__ import annotations

from bot import permissions
from bot.context import Context
from bot.flows import variants
from bot.flows.job_card import card
from bot.request import Request
from bot.views import job as views
from bot.views.blocks import Message
from core import audit
from core.db import reading
from core.engine import enqueue
from optimize import store
from optimize.store import Job


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "show":
            request.only()
            return card(ctx, _load(ctx, request))
        case "cancel":
            return _cancel(ctx, request)
        case "register":
            return _register(ctx, request)
        case _:
            return _list(ctx, request)


def _list(ctx: Context, request: Request) -> Message:
    request.only("model")
    model = request.options.get("model") or request.target
    with reading(ctx.databases.control) as session:
        found = store.newest(session, app=ctx.settings.app, model=model)
    return views.listing(found, ctx.settings.slack_command)


def _cancel(ctx: Context, request: Request) -> Message:
    request.only()
    job = _load(ctx, request)
    by, now = request.person.id, ctx.clock()
    if job.has_ended:
        return views.cancelled(job, is_new=False)
    with ctx.databases.control.begin() as session:
        if by != job.wanted.asked_by:
            act, admins = f"cancel {job.name}", ctx.settings.slack_admins
            permissions.require(session, admins, by, ("operator",), model=job.wanted.model, act=act)
        if request.is_dry_run:
            return Message(text=f"{job.name} is {job.state} and would be cancelled.")
        is_new = store.cancel(session, job.number, by=by, now=now)
        if is_new:
            audit.record(session, who=by, what="job.cancelled", subject=job.name, now=now, facts={"of": job.source})
            enqueue(session, "show_job", key=f"{job.name}/cancelled", ref=job.name)
    return views.cancelled(job, is_new=is_new)


def _register(ctx: Context, request: Request) -> Message:
    request.only("as")
    kept = variants.keep(
        ctx,
        _ref(ctx, request),
        wanted=request.options.get("as"),
        by=request.person.id,
        now=ctx.clock(),
        dry_run=request.is_dry_run,
    )
    if request.is_dry_run:
        return Message(text=f"{kept.name} would be registered from {kept.job.name}.")
    with ctx.databases.control.begin() as session:
        enqueue(session, "show_job", key=f"{kept.job.name}/registered", ref=kept.job.name)
    return views.kept(kept.job, kept.name, by=request.person.id, is_new=kept.is_new)


def _load(ctx: Context, request: Request) -> Job:
    with reading(ctx.databases.control) as session:
        return store.load(session, _ref(ctx, request), app=ctx.settings.app)


def _ref(ctx: Context, request: Request) -> str:
    return request.needed_target(f"{ctx.settings.slack_command} job show J7")
