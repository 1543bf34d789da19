"""`drift kws`, `drift goal kws age=90d data=180d`, `drift trained kws@1.4.0 2026-09-01`: has the world moved on?"""

from __future__ import annotations

from datetime import date, timedelta

from bot import drifts
from bot.context import Context
from bot.drifts import Goal
from bot.flows import drift as flow
from bot.permissions import require
from bot.request import Request
from bot.views import drift as views
from bot.views.blocks import Message
from core import audit
from core.db import reading
from core.errors import InvalidInputError, Problem, all_of
from core.values import period
from releases import training
from releases.artifact_store import find_artifacts

MANY_DAYS = timedelta(days=3650)


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "goal":
            return _goal(ctx, request)
        case "trained":
            return _trained(ctx, request)
        case _:
            return _show(ctx, request)


def _show(ctx: Context, request: Request) -> Message:
    request.only()
    command = ctx.settings.slack_command
    model = request.needed_target(f"{command} drift kws")
    flow.require_model(ctx, model)
    with reading(ctx.databases.control) as session:
        found = drifts.standing(session, app=ctx.settings.app, model=model)
    age = flow.age(ctx, model)
    ages = None if age is None else told_age(age, command)
    return views.report(
        model, found, version=age.version if age else None, reasons=age.stale.reasons if age else (), ages=ages,
        shared=request.is_shared,
    )  # fmt: skip


def told_age(age: flow.Age, command: str) -> str:
    return views.ages(
        version=age.version, model_days=age.stale.model_days, data_days=age.stale.data_days, goal=age.goal,
        command=command, model=age.model,
    )  # fmt: skip


def _goal(ctx: Context, request: Request) -> Message:
    example = f"{ctx.settings.slack_command} drift goal kws age=90d data=180d"
    model = request.needed_target(example)
    all_of(
        lambda: request.only("age", "data"), lambda: _days(request, "age"), lambda: _days(request, "data"),
        lambda: _some_goal(request, example),
    )  # fmt: skip
    flow.require_model(ctx, model)
    goal = Goal(age_days=_days(request, "age"), data_days=_days(request, "data"))
    app, by = ctx.settings.app, request.person.id
    with ctx.databases.control.begin() as session:
        admins = ctx.settings.slack_admins
        require(session, admins, by, ("operator",), model=model, act=f"set the goal of {model}")
        if not request.is_dry_run:
            goal = drifts.set_goal(session, goal, app=app, model=model, by=by, now=ctx.clock())
            facts = {"age_days": goal.age_days, "data_days": goal.data_days}
            audit.record(session, who=by, what="model.goal", subject=model, now=ctx.clock(), facts=facts)
    return views.goal_set(model, goal, by=by, is_dry_run=request.is_dry_run)


def _trained(ctx: Context, request: Request) -> Message:
    request.only(words=1)
    example = f"{ctx.settings.slack_command} drift trained kws@1.4.0 2026-09-01"
    model, _, version = request.needed_target(example).partition("@")
    until = _date(request.words[0] if request.words else "", ctx.clock().date(), example)
    app, by = ctx.settings.app, request.person.id
    with ctx.databases.control.begin() as session:
        admins = ctx.settings.slack_admins
        if not version or not find_artifacts(session, app=app, model=model, version=version):
            raise InvalidInputError(Problem("", f"name a version that is registered; for example: `{example}`"))
        require(session, admins, by, ("operator",), model=model, act=f"note what {model} was trained on")
        if not request.is_dry_run:
            training.note(session, until, app=app, model=model, version=version, by=by, now=ctx.clock())
    return views.trained_set(model, version, until, by=by, is_dry_run=request.is_dry_run)


def _days(request: Request, name: str) -> int | None:
    text = request.options.get(name)
    if text is None:
        return None
    span = period(text, default=MANY_DAYS, name=name)
    return max(1, round(span / timedelta(days=1)))


def _some_goal(request: Request, example: str) -> None:
    if not {"age", "data"} & set(request.options):
        raise InvalidInputError(Problem("", f"give age=, data= or both; for example: `{example}`"))


def _date(text: str, today: date, example: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(Problem("", f"needs the day of the newest data; for example: `{example}`")) from None
    if found > today:
        raise InvalidInputError(Problem("", f"{text} is in the future: give the day of the newest data"))
    return found
