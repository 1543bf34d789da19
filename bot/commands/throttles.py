"""`release throttle kws per_minute=30 runs=cloud where="…"`, `release unthrottle T1`: how a cohort may use a model."""

from __future__ import annotations

from bot import permissions
from bot.commands.model import artifacts_of
from bot.context import Context
from bot.flows.look import LAST_WEEK
from bot.permissions import Role
from bot.request import Request
from bot.views import throttles as views
from bot.views.blocks import Message
from core import audit, segments, values
from core.db import reading
from core.errors import InvalidInputError, Problem, all_of
from core.segments import EVERYONE, Segment, matches
from feedback import store as feedback
from releases import throttles
from releases.throttle_store import lift_throttle, set_throttle, throttles_of
from releases.throttles import Throttle
from releases.wording import count

ROLES: tuple[Role, ...] = ("operator", "approver")
WORDS = ("per_minute", "runs", "where", "reason")
EXAMPLE = "release throttle kws per_minute=30 where=tier=low"


def throttle(ctx: Context, request: Request) -> Message:
    """Set a throttle; with nothing but a model, list those that hold."""
    example = f"{ctx.settings.slack_command} {EXAMPLE}"
    model = request.needed_target(example)
    artifacts_of(ctx, model)
    if not request.options:
        request.only()
        with reading(ctx.databases.control) as session:
            return views.listing(model, throttles_of(session, app=ctx.settings.app, model=model), example)
    wanted = _read(request)
    reached = _reach(ctx, wanted.segment)
    now, by = ctx.clock(), request.person.id
    with ctx.databases.control.begin() as session:
        permissions.require(session, ctx.settings.slack_admins, by, ROLES, model=model, act=f"throttle {model}")
        if not request.is_dry_run:
            wanted = set_throttle(session, wanted, app=ctx.settings.app, model=model, by=by, now=now)
            facts = throttles.facts_of(model, wanted)
            audit.record(session, who=by, what="throttle.set", subject=wanted.name or "", now=now, facts=facts)
    return views.set_now(model, wanted, reached, by=by, is_dry_run=request.is_dry_run)


def unthrottle(ctx: Context, request: Request) -> Message:
    """Lift a throttle by its short name."""
    request.only()
    ref = request.needed_target(f"{ctx.settings.slack_command} release unthrottle T1")
    now, by = ctx.clock(), request.person.id
    with ctx.databases.control.begin() as session:
        model, lifted = lift_throttle(session, ref, app=ctx.settings.app, by=by, now=now)
        permissions.require(session, ctx.settings.slack_admins, by, ROLES, model=model, act=f"lift {lifted.name}")
        facts = throttles.facts_of(model, lifted)
        audit.record(session, who=by, what="throttle.lifted", subject=lifted.name or "", now=now, facts=facts)
        if request.is_dry_run:
            session.rollback()
    return views.lifted(model, lifted, by=by, is_dry_run=request.is_dry_run)


def _read(request: Request) -> Throttle:
    """Raises: InvalidInputError: with every mistake."""
    said = request.options
    where: list[Segment] = []
    found: list[Throttle] = []

    def read() -> None:
        told = {"per_minute": said.get("per_minute"), "runs": said.get("runs"), "reason": said.get("reason")}
        found.append(throttles.read(EVERYONE, **told))

    all_of(lambda: request.only(*WORDS), lambda: where.append(values.segment(said.get("where"))), read)
    return throttles.for_segment(found[0], where[0])


def _reach(ctx: Context, segment: Segment) -> str:
    """Say whom it reaches. Raises: InvalidInputError: it matches none of the installs that there are."""
    with feedback.fresh(ctx.databases.ingest) as session:
        seen = feedback.installs_seen(session, app=ctx.settings.app, since=ctx.clock() - LAST_WEEK)
    meant = sum(matches(segment, device) for _, device in seen)
    if seen and not meant:
        rule = segments.text(segment)
        raise InvalidInputError(Problem("where", f"{rule} matches none of last week's {count(len(seen))} installs"))
    return f"{count(meant)} of last week's {count(len(seen))} installs" if seen else "whoever it matches"
