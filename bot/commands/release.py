"""`release start kws@1.4.0 to=… | show R12 | approve | advance | pause | resume | halt | keep | rollback | kill`, …"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from bot import permissions
from bot.commands import comparisons, freezes, throttles
from bot.context import Context
from bot.flows import acts, proposal
from bot.flows.acts import Wish
from bot.flows.keep import keep
from bot.flows.release_card import card_facts
from bot.request import Request
from bot.views import figures
from bot.views import forecast as forecast_views
from bot.views import release as card_views
from bot.views import release_news as views
from bot.views.blocks import Message, escape
from core import values
from core.db import reading
from core.errors import InvalidInputError, Problem, all_of
from core.keys import name_of
from core.segments import Segment
from releases import store
from releases.plan import Release
from releases.store import Event

LISTED = timedelta(days=90)
HISTORY = 8
DONE = {
    "approve": "is approved", "reject": "is rejected", "advance": "goes on", "pause": "is paused",
    "resume": "goes on", "cancel": "is cancelled", "halt": "is halted", "rollback": "is being rolled back",
    "keep": "stays halted", "kill": "is killed: every install is told to return now",
}  # fmt: skip

COHORT_DONE = {
    "halt": ("is halted", "no further install of it gets {new}; those that have it keep it"),
    "rollback": ("is being rolled back", "its installs return to {old} and are never offered {new} again"),
    "keep": ("stays halted", "no further install of it gets {new}"),
    "resume": ("goes on", "its installs are offered {new} again"),
}
TAKES = {"approve": ("seen",), "advance": ("stage",), **dict.fromkeys(COHORT_DONE, ("where",))}


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "list":
            return _list(ctx, request)
        case "show":
            return _show(ctx, request)
        case "start":
            return _start(ctx, request)
        case "compare":
            return comparisons.compare(ctx, request)
        case "decide":
            return comparisons.decide(ctx, request)
        case "freeze":
            return freezes.run(ctx, request)
        case "throttle":
            return throttles.throttle(ctx, request)
        case "unthrottle":
            return throttles.unthrottle(ctx, request)
        case _:
            return _act(ctx, request)


def _list(ctx: Context, request: Request) -> Message:
    request.only("model")
    model = request.options.get("model") or request.target
    now, app = ctx.clock(), ctx.settings.app
    with reading(ctx.databases.control) as session:
        found = dict(store.recent_releases(session, app=app, since=now - LISTED))
        found |= dict(store.open_releases(session, app=app))
    rows = [(release, rollout) for release, rollout in found.items() if model in (None, release.model)]
    return views.listing(sorted(rows, key=lambda row: -row[0].number), ctx.settings.slack_command)


def _show(ctx: Context, request: Request) -> Message:
    request.only()
    with reading(ctx.databases.control) as session:
        release = store.load_release(session, request.needed_target(f"{ctx.settings.slack_command} release show R12"))
        history = [(event, name_of(session, event.who)) for event in store.history(session, release.id)[-HISTORY:]]
    facts = card_facts(ctx, release.id, ctx.clock())
    return views.shown(facts, [_line(event, by) for event, by in history])


def _start(ctx: Context, request: Request) -> Message:
    target = request.needed_target(f"{ctx.settings.slack_command} release start kws@1.4.0 to=1,5,25,100 bake=24h")
    asked = proposal.Asked(target=target, options=request.options, by=request.person.id, delivery=request.delivery)
    _require_known(ctx, request, asked)
    made = proposal.propose(ctx, asked, now=ctx.clock(), dry_run=request.is_dry_run)
    ask = _ask(ctx, request, made.release)
    if request.is_dry_run:
        return forecast_views.dry_run(made.release, made.forecast, ask)
    return views.proposed(made.release, ask=ask, is_new=made.is_new, unread=made.forecast.unread)


def _require_known(ctx: Context, request: Request, asked: proposal.Asked) -> None:
    """Raises: InvalidInputError: an option is not known; with what else is wrong with the plan."""
    try:
        request.only(*proposal.OPTIONS)
    except InvalidInputError as unknown:
        all_of(partial(_again, unknown), lambda: proposal.propose(ctx, asked, now=ctx.clock(), dry_run=True))


def _again(error: InvalidInputError) -> None:
    raise error


def _act(ctx: Context, request: Request) -> Message:
    request.only("reason", *TAKES.get(request.verb, ()))
    wish = Wish(
        verb=request.verb,
        ref=request.needed_target(f"{ctx.settings.slack_command} release {request.verb} R12"),
        by=request.person.id,
        reason=request.options.get("reason"),
        stage=_stage(request.options.get("stage")),
        seen=request.options.get("seen"),
        where=_cohort(request.options.get("where")),
        delivery=request.delivery,
    )
    carry = keep if request.verb == "keep" else acts.act
    outcome = carry(ctx, wish, now=ctx.clock(), dry_run=request.is_dry_run)
    if outcome.late is not None:
        return views.late(outcome.release, outcome.rollout, outcome.late)
    if outcome.waits:
        return views.approved_in_part(outcome.release, outcome.waits, by=wish.by, is_dry_run=request.is_dry_run)
    if wish.where is not None:
        return views.cohort_done(
            outcome.release, outcome.rollout, wish.where, COHORT_DONE[request.verb], by=wish.by,
            is_dry_run=request.is_dry_run,
        )  # fmt: skip
    if request.is_dry_run:
        return views.would(outcome.release, outcome.rollout)
    return views.done(outcome.release, outcome.rollout, DONE[request.verb], by=wish.by)


def _ask(ctx: Context, request: Request, release: Release) -> str:
    """Say who can approve, and to somebody without the right to start that this is a proposal."""
    admins = ctx.settings.slack_admins
    with reading(ctx.databases.control) as session:
        able = permissions.who_can(session, admins, ("approver",), release.model)
        may_start = permissions.may(session, admins, request.person.id, ("operator",), release.model)
    others = [card_views.who(person) for person in able if person != request.person.id]
    where = f" in <#{ctx.settings.slack_channel}>" if ctx.settings.slack_channel else ""
    proposed = "It would be proposed" if request.is_dry_run else "Proposed"
    start = "" if may_start else f"You may propose, not start. {proposed}{where}. "
    if not others:
        return f"{start}Nobody else can approve it yet: `{ctx.settings.slack_command} role grant @somebody approver`."
    return f"{start}{permissions.either(others[: permissions.NAMED])} can approve{where if may_start else ''}."


def _stage(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise InvalidInputError(Problem("stage", f"must be the number of a stage, such as 2, not {text}"))
    return int(text)


def _cohort(text: str | None) -> Segment | None:
    return None if text is None else values.segment(text)


def _line(event: Event, who: str) -> str:
    what, said = event.what.replace("_", " "), event.reason or ""
    if said.startswith(what):  # "started at 5 %" says it already
        what, said = said, ""
    reason = f": {escape(said)}" if said and said not in card_views.UNSAID else ""
    by = "" if event.who == views.MUSTER else f" by {card_views.who(who)}"
    return f"• {figures.moment(event.at)} – {escape(what)}{by}{reason}"
