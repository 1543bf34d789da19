"""`poll list | show P3 | preview P3 | create | start P3 | stop P3 | explain P3 install=…`."""

from __future__ import annotations

from bot import poll_form
from bot.context import Context
from bot.flows import polls as flow
from bot.pages_web import preview_url
from bot.request import Request
from bot.views import poll as views
from bot.views.blocks import Message
from core.errors import InvalidInputError, Problem
from feedback.store import StoredPoll


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "show":
            return _show(ctx, request)
        case "preview":
            return _preview(ctx, request)
        case "create":
            return _create(ctx, request)
        case "start":
            return _start(ctx, request)
        case "stop":
            return _stop(ctx, request)
        case "explain":
            return _explain(ctx, request)
        case _:
            return _list(ctx, request)


def _list(ctx: Context, request: Request) -> Message:
    request.only("model")
    found = flow.listed(ctx, model=request.options.get("model", request.target))
    lines = [views.Line(poll=each.poll, responses=each.responses) for each in found]
    return views.listing(lines, ctx.settings.slack_command, minimum=ctx.settings.minimum_cohort, now=ctx.clock())


def _show(ctx: Context, request: Request) -> Message:
    request.only()
    found = flow.shown(ctx, _ref(ctx, request))
    url = _preview_url(ctx, found.poll)
    return views.one(
        found.poll,
        responses=found.responses,
        shown=found.shown,
        answered=found.answered,
        minimum=ctx.settings.minimum_cohort,
        now=ctx.clock(),
        url=url,
        chosen=found.chosen,
    )


def _preview(ctx: Context, request: Request) -> Message:
    request.only()
    poll = flow.found(ctx, _ref(ctx, request))
    return views.previewed(poll, _preview_url(ctx, poll))


def _create(ctx: Context, request: Request) -> Message:
    """What the form was filled with, or all of it as options; with something missing, a button opens the form."""
    request.only(*poll_form.FIELDS)
    about = (request.form or request.options).get("model") or request.target
    flow.require_to_create(ctx, request.person.id, about)
    values = request.form or {"model": request.target or "", "percent": "5", **request.options}
    if request.form is None and not (values.get("name") and values.get("question")):
        return views.needs_form()
    wrong = poll_form.check(values)
    if wrong:
        raise InvalidInputError(*(Problem(field, message) for field, message in wrong.items()))
    poll = poll_form.read(values)
    saved = flow.create(ctx, poll, by=request.person.id, is_dry_run=request.is_dry_run)
    if saved is None:
        return views.would_create(poll)
    return views.created(saved, ctx.settings.slack_command, url=_preview_url(ctx, saved))


def _start(ctx: Context, request: Request) -> Message:
    request.only()
    by = request.person.id
    changed = flow.set_status(ctx, _ref(ctx, request), "running", by=by, is_dry_run=request.is_dry_run)
    return views.changed(changed, by, is_dry_run=request.is_dry_run, now=ctx.clock())


def _stop(ctx: Context, request: Request) -> Message:
    request.only()
    by = request.person.id
    changed = flow.set_status(ctx, _ref(ctx, request), "stopped", by=by, is_dry_run=request.is_dry_run)
    return views.changed(changed, by, is_dry_run=request.is_dry_run, now=ctx.clock())


def _explain(ctx: Context, request: Request) -> Message:
    request.only("install")
    ref, install = _ref(ctx, request), request.options.get("install")
    if not install:
        example = f"{ctx.settings.slack_command} poll explain {ref} install=5b1d…"
        raise InvalidInputError(
            Problem("install", f"is missing; the app shows its install id; for example: `{example}`")
        )
    found = flow.explained(ctx, ref, install)
    return views.explained(found.poll, found.gates, is_known=found.device is not None)


def _preview_url(ctx: Context, poll: StoredPoll) -> str:
    return preview_url(poll.poll.id, ctx.settings, ctx.clock())


def _ref(ctx: Context, request: Request) -> str:
    return request.needed_target(f"{ctx.settings.slack_command} poll {request.verb} P3")
