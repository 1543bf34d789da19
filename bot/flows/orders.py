"""Ordering a job: everything that is wrong with it at once, then a row and an engine job in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy.orm import Session

from bot import permissions
from bot.context import Context
from core import audit
from core.engine import enqueue
from core.errors import AppError, InvalidInputError, NotFoundError, Problem
from core.segments import suggestion
from optimize import order, store
from optimize.backends import known
from optimize.budgets import DEFAULT, parse_budget
from optimize.inspect import Needs
from optimize.recipes import parse_recipe
from optimize.store import Job, Wanted
from releases import registry
from releases.artifact_store import find_artifacts
from releases.artifacts import Artifact
from releases.registry import CALIBRATION, EVALUATION, MODEL, SCRIPT

OPTIONS: Final = ("recipe", "budget", "variant", "cpu", "runtime")
MOST_CPU_S: Final = 120.0
LONGEST_CPU_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asked for; `target` is kws@1.4.0."""

    target: str
    options: Mapping[str, str]
    by: str
    delivery: str | None = None
    channel: str | None = None
    thread: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """`job` is None after a dry run. `waiting`: how many jobs are before it; `rows`: of inputs to judge by."""

    job: Job | None
    wanted: Wanted
    is_new: bool
    waiting: int
    rows: int | None


def optimize(ctx: Context, asked: Asked, *, now: datetime, dry_run: bool) -> Ordered:
    """Order an optimization.

    Raises: InvalidInputError: with everything that is wrong; NotAllowedError; NotFoundError.
    """
    with ctx.databases.control.begin() as session:
        model = asked.target.partition("@")[0]
        act = f"optimize {model}"
        permissions.require(session, ctx.settings.slack_admins, asked.by, ("operator",), model=model, act=act)
        source = pick(session, ctx.settings.app, asked.target, asked.options.get("variant"))
        ordered = wanted(session, ctx.settings.app, source, asked)
        return place(session, ordered, rows_of(session, ctx.settings.app, source), now=now, dry_run=dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two files that could be measured against one another; `known` is the job that did or does."""

    before: Artifact
    after: Artifact
    evaluation: str | None
    known: Job | None


def pair(session: Session, app: str, before: str, after: str) -> Pair | None:
    """Return the pair that kws@1.3.2 and kws@1.4.0 name; None when one of them has no single file."""
    try:
        first, second = pick(session, app, before, None), pick(session, app, after, None)
    except AppError:
        return None
    beside = _beside(session, app, first) | _beside(session, app, second)
    evaluation = beside.get(EVALUATION)
    known = store.comparison(session, app=app, parent=first.sha256, other=second.sha256, evaluation=evaluation)
    return Pair(before=first, after=second, evaluation=evaluation, known=known)


def compare(ctx: Context, found: Pair, asked: Asked, *, now: datetime) -> Ordered:
    """Order a comparison on the inputs that came with either file.

    Raises: InvalidInputError: nothing can be measured here, or a file was refused.
    """
    app, before, after = ctx.settings.app, found.before, found.after
    with ctx.databases.control.begin() as session:
        problems = [missing] if (missing := missing_extra()) else []
        for each in (before, after):
            own = registry.inspections_of(session, app=app, artifact=each.sha256).get(MODEL)
            if own is not None and own.refused is not None:
                problems.append(Problem(f"{each.model}@{each.version}", own.refused))
        if problems:
            raise InvalidInputError(*problems)
        order_of_both = Wanted(
            app=app, kind="compare", model=before.model, version=before.version, variant=before.variant,
            parent=before.sha256, other=after.sha256, other_version=after.version, recipe="", budget=DEFAULT,
            most_cpu_s=MOST_CPU_S, evaluation=found.evaluation, asked_by=asked.by, delivery=asked.delivery,
            channel=asked.channel, thread=asked.thread,
        )  # fmt: skip
        return place(session, order_of_both, rows_of(session, app, before), now=now, dry_run=False)


def missing_extra() -> Problem | None:
    """Return why nothing can be optimized here, and how to change that; None when it can."""
    return known()["onnxruntime"].probe()


def pick(session: Session, app: str, target: str, variant: str | None) -> Artifact:
    """Return the artifact that kws@1.4.0 names; of several the one that was not made from another.

    Raises: NotFoundError, InvalidInputError.
    """
    model, at, version = target.partition("@")
    if not at or not version:
        raise InvalidInputError(Problem("", f"which version? say it as in {model or 'kws'}@1.4.0"))
    found = find_artifacts(session, app=app, model=model)
    if not found:
        raise NotFoundError(f"There is no model {model}; `model list` shows them.")
    of_version = [each for each in found if each.version == version and variant in (None, each.variant)]
    if not of_version:
        known_names = [f"{each.version} {each.variant}" for each in found]
        hint = suggestion(version, [each.version for each in found]) or f"; there are {', '.join(known_names[:20])}."
        raise NotFoundError(f"There is no {target}{f' ({variant})' if variant else ''}{hint}")
    originals = [each for each in of_version if each.made_from is None] or of_version
    if len(originals) > 1:
        names = ", ".join(f"variant={each.variant}" for each in originals)
        raise InvalidInputError(Problem("variant", f"{target} has {len(originals)} files; say which: {names}"))
    return originals[0]


def rows_of(session: Session, app: str, artifact: Artifact) -> int | None:
    """Return how many inputs there are to judge by."""
    found = registry.inspections_of(session, app=app, artifact=artifact.sha256).get(EVALUATION)
    return found.facts["rows"] if found and found.facts else None


def wanted(session: Session, app: str, source: Artifact, asked: Asked) -> Wanted:
    """Return the order of one artifact, checked. Raises: InvalidInputError: with every problem of options, files and
    recipe."""
    options = asked.options
    problems: list[Problem] = [missing] if (missing := missing_extra()) else []
    recipe = _try(lambda: parse_recipe(options.get("recipe", "auto")), problems)
    budget = _try(lambda: parse_budget(options.get("budget", DEFAULT)), problems)
    cpu_s = _cpu_s(options.get("cpu"), problems)
    beside = _beside(session, app, source)
    inspected = registry.inspections_of(session, app=app, artifact=source.sha256)
    problems += [
        Problem("model" if role == MODEL else role, found.refused)
        for role, found in inspected.items()
        if found.refused is not None and role in (MODEL, EVALUATION, CALIBRATION, SCRIPT)
    ]
    own = inspected.get(MODEL)
    if recipe is not None and not missing:
        problems += _why_not(recipe, own.facts if own else None, beside)
    if problems:
        raise InvalidInputError(*problems)
    return Wanted(
        app=app, kind="optimize", model=source.model, version=source.version, variant=source.variant,
        parent=source.sha256, recipe=str(recipe), budget=str(budget), most_cpu_s=cpu_s,
        evaluation=beside.get(EVALUATION), calibration=beside.get(CALIBRATION), script=beside.get(SCRIPT),
        runtime=options.get("runtime"), asked_by=asked.by, delivery=asked.delivery, channel=asked.channel,
        thread=asked.thread,
    )  # fmt: skip


def _why_not(recipe: Any, facts: Mapping[str, Any] | None, beside: Mapping[str, str]) -> list[Problem]:
    if recipe.is_auto:
        said = "auto judges what it tries: register inputs with the model (--eval eval.npz)"
        return [] if EVALUATION in beside else [Problem("eval", said)]
    if facts is None:  # still being read; the job finds out
        return []
    return order.why_not(
        recipe, msgspec.convert(facts, Needs), has_inputs=bool(beside.keys() - {SCRIPT}), has_script=SCRIPT in beside
    )


def place(session: Session, wanted: Wanted, rows: int | None, *, now: datetime, dry_run: bool) -> Ordered:
    """Write the order down, and have a worker carry it out once that is committed."""
    waiting = sum(1 for each in store.newest(session, app=wanted.app, limit=100) if not each.has_ended)
    if dry_run:
        return Ordered(job=None, wanted=wanted, is_new=False, waiting=waiting, rows=rows)
    job, is_new = store.create(session, wanted, now=now)
    if is_new:
        enqueue(session, "show_job", key=f"{job.name}/0", ref=job.name)
        enqueue(session, "optimize", key=job.name, ref=job.name)
        facts = {"of": job.source, "kind": wanted.kind, "recipe": wanted.recipe, "budget": wanted.budget}
        audit.record(session, who=wanted.asked_by, what="job.ordered", subject=job.name, now=now, facts=facts)
    return Ordered(job=job, wanted=wanted, is_new=is_new, waiting=waiting, rows=rows)


def _beside(session: Session, app: str, artifact: Artifact) -> dict[str, str]:
    """Return the digests of what came with an artifact, by role."""
    companions = registry.companions_of(session, app=app, artifact=artifact.sha256)
    return {role: each.sha256 for role, each in companions.items()}


def _cpu_s(text: str | None, problems: list[Problem]) -> float:
    if text is None:
        return MOST_CPU_S
    number = text.removesuffix("s").strip()
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= LONGEST_CPU_S):
        problems.append(Problem("cpu", f"must be seconds of one processor, 1 to {LONGEST_CPU_S:.0f}, such as 120s"))
        return MOST_CPU_S
    return float(number)


def _try(read: Any, problems: list[Problem]) -> Any:
    try:
        return read()
    except AppError as error:
        problems += error.problems
        return None
