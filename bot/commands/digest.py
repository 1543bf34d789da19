"""`digest preview | show | now | schedule`: the week in one page."""

from __future__ import annotations

from bot import permissions
from bot.context import Context
from bot.flows import digest as flow
from bot.flows.week import gather
from bot.pages_web import digest_url
from bot.permissions import Role
from bot.request import Request
from bot.views import digest as views
from bot.views import figures
from bot.views.blocks import Message
from bot.weeks import Week, next_due, parse_schedule, week_before, week_of
from core.db import reading
from core.engine import enqueue
from core.errors import ConflictError, NotFoundError

MAY_POST: tuple[Role, ...] = ("operator",)


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "show":
            return _show(ctx, request)
        case "now":
            return _now(ctx, request)
        case "schedule":
            return _schedule(ctx, request)
        case _:
            return _preview(ctx, request)


def _preview(ctx: Context, request: Request) -> Message:
    """The week so far, or the one named, as its digest would be now."""
    request.only("week")
    named = request.options.get("week") or request.target
    zone = parse_schedule(ctx.settings.digest_schedule).zone
    week = flow.week_named(ctx, named) if named else week_of(ctx.clock(), zone)
    return views.digest(gather(ctx, week), url=None)


def _show(ctx: Context, request: Request) -> Message:
    """The digest that was composed last, or that of the week named, with a fresh look at its page."""
    request.only("week")
    named = request.options.get("week") or request.target
    week = flow.week_named(ctx, named).name if named else None
    kept = flow.find(ctx, week)
    if kept is None:
        due = figures.moment(next_due(parse_schedule(ctx.settings.digest_schedule), ctx.clock()))
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
    zone = parse_schedule(ctx.settings.digest_schedule).zone
    week = flow.week_named(ctx, named) if named else week_before(ctx.clock(), zone)
    _require_over(ctx, week)
    if request.is_dry_run:
        return views.digest(gather(ctx, week), url=None)
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
    request.only(words=9)
    schedule = parse_schedule(ctx.settings.digest_schedule)
    due = figures.moment(next_due(schedule, ctx.clock()))
    where = (
        f"<#{ctx.settings.slack_channel}>" if ctx.settings.slack_channel else "nowhere: MUSTER_SLACK_CHANNEL is not set"
    )
    unchanged = "Nothing was changed: t" if request.target else "T"
    return Message(
        f"Digests are posted every {ctx.settings.digest_schedule} to {where}; the next one {due}. {unchanged}he "
        "setting MUSTER_DIGEST_SCHEDULE, which whoever runs me sets, decides when."
    )
