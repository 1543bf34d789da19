"""Proposing a release: every mistake at once, who it would reach, and nothing that starts without a second person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from bot.context import Context
from bot.flows.release import carry_out
from bot.forecasting import foresee
from core.db import reading
from core.errors import ConflictError, InvalidInputError, Problem
from releases import plan as plans
from releases import store
from releases.forecast import Forecast
from releases.plan import A_A, Plan, Release
from releases.plan_words import PLAN_WORDS
from releases.proposing import find_same
from releases.rollout import Rollout, Submit

OPTIONS = (*PLAN_WORDS, "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody proposes, as typed: `target` is "kws@1.4.0"."""

    target: str
    options: Mapping[str, str]
    by: str
    delivery: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What came of it, and what the plan would do to last week's installs."""

    release: Release
    rollout: Rollout
    is_new: bool
    forecast: Forecast


def propose(ctx: Context, asked: Asked, *, now: datetime, dry_run: bool) -> Proposal:
    """Write the proposal down and ask for approval; the same one by the same person again changes nothing.

    Raises: InvalidInputError: with every mistake of the plan, the files and the devices; ConflictError: nothing is
        wrong but that the model's slot is taken.
    """
    model, version = _target(asked.target)
    plan, wrong = _plan(asked.options, now)
    with reading(ctx.databases.control) as session:
        known = _known(ctx, session, model, version, plan, asked, now) if plan else None
        if known is not None:
            return known
        wrong += store.what_is_wrong(
            session, app=ctx.settings.app, model=model, version=version, rival=asked.options.get("versus"),
            is_aa=asked.options.get("mode") == A_A,
        )  # fmt: skip
        taken = store.why_taken(session, app=ctx.settings.app, model=model)
    if plan is None or wrong:
        raise _refusal(wrong, taken)
    rehearsed = _rehearse(ctx, model, version, plan, asked, now)
    if rehearsed.forecast.problems:
        raise _refusal(rehearsed.forecast.problems, taken)
    if taken:
        raise ConflictError(taken)
    if dry_run:
        return rehearsed
    with ctx.databases.control.begin() as session:
        known = _known(ctx, session, model, version, plan, asked, now)
        if known is not None:
            return known
        release, draft = _create(session, ctx.settings.app, model, version, plan, asked, now)
        rollout = carry_out(session, release, draft, _submit(asked), by=asked.by, now=now, delivery=asked.delivery)
    return Proposal(release=release, rollout=rollout, is_new=True, forecast=rehearsed.forecast)


def _refusal(problems: Iterable[Problem], taken: str | None) -> InvalidInputError:
    return InvalidInputError(*problems, *([Problem("", taken)] if taken else []))


def _submit(asked: Asked) -> Submit:
    return Submit(reason=asked.options["reason"]) if asked.options.get("reason") else Submit()


def _target(text: str) -> tuple[str, str]:
    model, _, version = text.partition("@")
    if not model or not version:
        raise InvalidInputError(Problem("", f"say model and version, such as {model or 'kws'}@1.4.0, not {text}"))
    return model, version


def _plan(options: Mapping[str, str], now: datetime) -> tuple[Plan | None, list[Problem]]:
    try:
        plan = plans.read(options)
    except InvalidInputError as error:
        return None, list(error.problems)
    return plan, plans.too_late(plan, now)


def _rehearse(ctx: Context, model: str, version: str, plan: Plan, asked: Asked, now: datetime) -> Proposal:
    """Create the release, look ahead and take it back. Raises: as `store.create_release`."""
    with ctx.databases.control() as session:
        try:
            release, rollout = _create(session, ctx.settings.app, model, version, plan, asked, now, rehearses=True)
            ahead = foresee(ctx.databases, session, release, now, minimum=ctx.settings.minimum_cohort)
        finally:
            session.rollback()
    return Proposal(release=release, rollout=rollout, is_new=True, forecast=ahead)


def _create(
    session: Session, app: str, model: str, version: str, plan: Plan, asked: Asked, now: datetime,
    *, rehearses: bool = False,
) -> tuple[Release, Rollout]:  # fmt: skip
    reason = asked.options.get("reason")
    return store.create_release(
        session, app=app, model=model, version=version, plan=plan, by=asked.by, reason=reason, now=now,
        rival=asked.options.get("versus"), rehearses=rehearses,
    )  # fmt: skip


def _known(
    ctx: Context, session: Session, model: str, version: str, plan: Plan, asked: Asked, now: datetime
) -> Proposal | None:
    """Return what the same proposal of the same person came to: a command that was heard twice."""
    rival = asked.options.get("versus")
    known = find_same(session, app=ctx.settings.app, model=model, version=version, rival=rival, plan=plan, by=asked.by)
    if known is None:
        return None
    release, rollout = known
    ahead = foresee(ctx.databases, session, release, now, minimum=ctx.settings.minimum_cohort)
    return Proposal(release=release, rollout=rollout, is_new=False, forecast=ahead)
