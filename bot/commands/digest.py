"""`digest preview | show | now | schedule mon 09:00 UTC | goal kws csat>85% | budget`: the week in one page."""

from __future__ import annotations

from bot import digests, goals, ledger, permissions
from bot.context import Context
from bot.flows import digest as flow
from bot.flows import noised
from bot.flows.week import gather
from bot.pages_web import digest_url
from bot.permissions import Role
from bot.request import Request
from bot.views import digest as views
from bot.views import figures
from bot.views.blocks import Message
from bot.weeks import Week, next_due, parse_schedule, week_before, week_of
from core import audit
from core.db import reading
from core.engine import enqueue
from core.errors import ConflictError, InvalidInputError, NotFoundError, Problem
from core.settings import read_schedule

MAY_POST: tuple[Role, ...] = ("operator",)


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "show":
            return _show(ctx, request)
        case "now":
            return _now(ctx, request)
        case "schedule":
            return _schedule(ctx, request)
        case "goal":
            return _goal(ctx, request)
        case "budget":
            return _budget(ctx, request)
        case _:
            return _preview(ctx, request)


def _preview(ctx: Context, request: Request) -> Message:
    """The week so far, or the one named, as its digest would be now."""
    request.only("week")
    named = request.options.get("week") or request.target
    zone = flow.schedule(ctx).zone
    week = flow.week_named(ctx, named) if named else week_of(ctx.clock(), zone)
    return views.digest(gather(ctx, week), url=None, command=ctx.settings.slack_command)


def _show(ctx: Context, request: Request) -> Message:
    """The digest that was composed last, or that of the week named, with a fresh look at its page."""
    request.only("week")
    named = request.options.get("week") or request.target
    week = flow.week_named(ctx, named).name if named else None
    kept = flow.find(ctx, week)
    if kept is None:
        due = figures.moment(next_due(flow.schedule(ctx), ctx.clock()))
        what = f"of {week}" if week else "yet"
        raise NotFoundError(f"There is no digest {what}. The next one comes {due}; `digest preview` shows it so far.")
    return views.shown(flow.content(kept), url=digest_url(kept, ctx.settings))


def _now(ctx: Context, request: Request) -> Message:
    """Post the digest of the last week that is over, without waiting for its hour; once, as the schedule does."""
    request.only("week")
    with reading(ctx.databases.control) as session:
        admins = ctx.settings.slack_admins
        permissions.require(session, admins, request.person.id, MAY_POST, model=None, act="post the digest")
    named = request.options.get("week") or request.target
    zone = flow.schedule(ctx).zone
    week = flow.week_named(ctx, named) if named else week_before(ctx.clock(), zone)
    _require_over(ctx, week)
    if request.is_dry_run:
        return views.digest(gather(ctx, week), url=None, command=ctx.settings.slack_command)
    kept = flow.compose_once(ctx, week)
    with ctx.databases.control.begin() as session:
        enqueue(session, "post_digest", key=f"{ctx.settings.app}/{week.name}", week=week.name)
    return views.there(week.name, digest_url(kept, ctx.settings), posted=flow.is_posted(ctx, kept))


def _require_over(ctx: Context, week: Week) -> None:
    if ctx.clock() < week.ends:
        ends = figures.moment(week.ends)
        raise ConflictError(
            f"Week {week.name} is over {ends}, and its digest is composed once. Until then: `digest preview`."
        )


def _schedule(ctx: Context, request: Request) -> Message:
    """Without words, when digests come; with them, when they shall."""
    request.only(words=9)
    with reading(ctx.databases.control) as session:
        said = digests.schedule_of(session, ctx.settings)
        if request.target:
            act = "say when digests come"
            permissions.require(
                session, ctx.settings.slack_admins, request.person.id, MAY_POST, model=None, act=act
            )  # fmt: skip
    if request.target:
        said = _read(" ".join([request.target, *request.words]))
        if not request.is_dry_run:
            now, by = ctx.clock(), request.person.id
            with ctx.databases.control.begin() as session:
                digests.put_schedule(session, ctx.settings.app, said, by=by, now=now)
                facts = {"schedule": said}
                audit.record(session, who=by, what="digest.scheduled", subject=ctx.settings.app, now=now, facts=facts)
    due = figures.moment(next_due(parse_schedule(said), ctx.clock()))
    return views.scheduled(
        said, due, ctx.settings.slack_channel, by=request.person.id if request.target else None,
        is_dry_run=request.is_dry_run,
    )  # fmt: skip


def _read(words: str) -> str:
    try:
        return read_schedule(words)
    except ValueError as error:
        raise InvalidInputError(Problem("the schedule", str(error))) from error


def _goal(ctx: Context, request: Request) -> Message:
    """Without goals, those there are; `none` takes them away."""
    request.only(words=12)
    model = request.needed_target(f"{ctx.settings.slack_command} digest goal kws csat>85% size<4MB")
    app, by, now = ctx.settings.app, request.person.id, ctx.clock()
    if request.words:
        wanted = () if request.words == (goals.NONE,) else goals.parse(request.words)
        with ctx.databases.control.begin() as session:
            act = f"set goals of {model}"
            permissions.require(session, ctx.settings.slack_admins, by, MAY_POST, model=model, act=act)
            if not wanted:
                goals.drop(session, app, model)
            for goal in wanted:
                goals.put(session, app, model, goal, by=by, now=now)
            facts = {"goals": " ".join(request.words)}
            audit.record(session, who=by, what="digest.goal", subject=model, now=now, facts=facts)
            found = goals.of_model(session, app, model)
            if request.is_dry_run:
                session.rollback()
    else:
        with reading(ctx.databases.control) as session:
            found = goals.of_model(session, app, model)
    return views.goals(model, found, by=by if request.words else None, is_dry_run=request.is_dry_run)


def _budget(ctx: Context, request: Request) -> Message:
    """What was told of the week before (or the one named) at which cost, and what is left."""
    request.only("week")
    named = request.options.get("week") or request.target
    zone = flow.schedule(ctx).zone
    week = flow.week_named(ctx, named) if named else week_before(ctx.clock(), zone)
    with reading(ctx.databases.control) as session:
        told = ledger.charges(session, app=ctx.settings.app, week=week.name)
    return views.budget(week.name, told, noised.budget_of(ctx), is_missing=ctx.noise is None)
