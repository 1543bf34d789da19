"""Proposing a release: every mistake at once, who it would reach, and nothing that starts without a second person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from bot.context import Context
from bot.flows.release import carry_out
from core.db import reading
from core.device import DeviceContext
from core.errors import ConflictError, InvalidInputError, Problem
from core.segments import matches
from feedback import store as feedback
from releases import artifact_store, store
from releases import plan as plans
from releases.artifacts import Artifact
from releases.compatibility import gaps
from releases.plan import Plan, Release, Stage
from releases.plan_words import PLAN_WORDS
from releases.rollout import Rollout, Submit
from releases.wording import count

LAST_WEEK = timedelta(days=7)
OPTIONS = (*PLAN_WORDS, "reason")
SOME_PLAN = Plan(stages=(Stage(percent=100.0, bake=timedelta(hours=1)),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody proposes, as typed: `target` is "kws@1.4.0"."""

    target: str
    options: Mapping[str, str]
    by: str
    delivery: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What came of it. `installs`: percent → (exposed, targeted) of last week's installs, None when none are known."""

    release: Release
    rollout: Rollout
    is_new: bool
    installs: Mapping[float, tuple[int, int]] | None


def propose(ctx: Context, asked: Asked, *, now: datetime, dry_run: bool) -> Proposal:
    """Write the proposal down and ask for approval; the same one by the same person again changes nothing.

    Raises: InvalidInputError: with every mistake of the plan, the files and the devices; ConflictError: the model's
        slot is taken.
    """
    model, version = _target(asked.target)
    plan, problems = _plan(asked.options)
    problems += _problems(ctx, model, version, plan, asked, now)
    if problems:
        raise InvalidInputError(*problems)
    assert plan is not None
    files, devices = _files(ctx, model, version), _targeted(ctx, plan, now)
    reached = {stage.percent: (round(len(devices) * stage.percent / 100), len(devices)) for stage in plan.stages}
    installs = reached if devices and files else None
    if dry_run:
        release, rollout = _rehearse(ctx, model, version, plan, asked, now)
        return Proposal(release=release, rollout=rollout, is_new=True, installs=installs)
    with ctx.databases.control.begin() as session:
        known = _known(session, ctx.settings.app, model, version, plan, asked.by)
        if known is not None:
            return Proposal(release=known[0], rollout=known[1], is_new=False, installs=installs)
        release, draft = _create(session, ctx.settings.app, model, version, plan, asked, now)
        rollout = carry_out(session, release, draft, _submit(asked), by=asked.by, now=now, delivery=asked.delivery)
    return Proposal(release=release, rollout=rollout, is_new=True, installs=installs)


def _submit(asked: Asked) -> Submit:
    return Submit(reason=asked.options["reason"]) if asked.options.get("reason") else Submit()


def _target(text: str) -> tuple[str, str]:
    model, _, version = text.partition("@")
    if not model or not version:
        raise InvalidInputError(Problem("", f"say model and version, such as {model or 'kws'}@1.4.0, not {text}"))
    return model, version


def _plan(options: Mapping[str, str]) -> tuple[Plan | None, list[Problem]]:
    try:
        return plans.read(options), []
    except InvalidInputError as error:
        return None, list(error.problems)


def _problems(ctx: Context, model: str, version: str, plan: Plan | None, asked: Asked, now: datetime) -> list[Problem]:
    """Return what speaks against this release besides the words of its plan."""
    problems: list[Problem] = []
    try:
        _rehearse(ctx, model, version, plan or SOME_PLAN, asked, now)
    except InvalidInputError as error:
        problems += error.problems
    except ConflictError as conflict:
        if plan is None:
            problems.append(Problem("", conflict.message))
        elif _known_now(ctx, model, version, plan, asked.by) is None:
            raise
    files = _files(ctx, model, version)
    if plan is not None and files and not any(file.quarantined for file in files):
        missing = gaps(files, ((device, 1) for device in _targeted(ctx, plan, now)))
        for gap in missing[:3]:
            text = (
                f"{count(gap.installs)} of last week's installs can run no file of {version} ({gap.reason}); narrow it"
            )
            problems.append(Problem("where", text))
    return problems


def _rehearse(
    ctx: Context, model: str, version: str, plan: Plan, asked: Asked, now: datetime
) -> tuple[Release, Rollout]:
    """Create the release and take it back. Raises: as `store.create_release`."""
    with ctx.databases.control() as session:
        try:
            return _create(session, ctx.settings.app, model, version, plan, asked, now)
        finally:
            session.rollback()


def _create(
    session: Session, app: str, model: str, version: str, plan: Plan, asked: Asked, now: datetime
) -> tuple[Release, Rollout]:
    reason = asked.options.get("reason")
    return store.create_release(
        session, app=app, model=model, version=version, plan=plan, by=asked.by, reason=reason, now=now
    )


def _known_now(ctx: Context, model: str, version: str, plan: Plan, by: str) -> tuple[Release, Rollout] | None:
    with reading(ctx.databases.control) as session:
        return _known(session, ctx.settings.app, model, version, plan, by)


def _known(session: Session, app: str, model: str, version: str, plan: Plan, by: str) -> tuple[Release, Rollout] | None:
    """Return the open release that is this very proposal: a command that was heard twice."""
    for release, rollout in store.open_releases(session, app=app, model=model):
        if (release.candidate_version, release.plan, release.proposed_by) == (version, plan, by):
            return release, rollout
    return None


def _files(ctx: Context, model: str, version: str) -> tuple[Artifact, ...]:
    with reading(ctx.databases.control) as session:
        return artifact_store.find_artifacts(session, app=ctx.settings.app, model=model, version=version)


def _targeted(ctx: Context, plan: Plan, now: datetime) -> tuple[DeviceContext, ...]:
    """Return the devices heard of in the last week that the plan is for."""
    with reading(ctx.databases.ingest) as session:
        seen = feedback.installs_seen(session, app=ctx.settings.app, since=now - LAST_WEEK)
    return tuple(device for _, device in seen if matches(plan.segment, device))
