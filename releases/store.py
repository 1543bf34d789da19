"""Releases in the database: propose, load, save guarded by revision, approve, history.

Functions take the session first and never commit. Whatever changes an offer moves the catalog's revision on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import ConflictError, InvalidInputError, NotFoundError, Problem
from core.ids import new_id
from releases import plan as plans
from releases.approvals import Pending, approve, approvers, pending, require, withdraw
from releases.artifact_store import current_baselines, find_artifacts, quarantine, refusals
from releases.artifacts import Artifact
from releases.counters import bump
from releases.freeze_store import frozen
from releases.plan import Plan, Release
from releases.rows import columns, release_of, rollout_of
from releases.states import LIVE, WATCHED, Rollout, State, draft
from releases.tables import ReleaseEventRow, ReleaseRow, RolloutRow

__all__ = [
    "Event", "Pending", "add_event", "approve", "approvers", "create_release", "history", "live_releases",
    "load_release", "load_rollout", "open_releases", "pending", "recent_releases", "save_rollout", "stood_releases",
    "withdraw",
]  # fmt: skip

REFERENCE = re.compile(r"[rR]?(\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a release's history."""

    release_id: str
    at: datetime
    what: str
    who: str
    reason: str | None
    facts: Mapping[str, Any]


def create_release(
    session: Session, *, app: str, model: str, version: str, plan: Plan, by: str, reason: str | None, now: datetime,
    rival: str | None = None, rehearses: bool = False,
) -> tuple[Release, Rollout]:  # fmt: skip
    """Propose to replace the model's current baseline by `version`; the rollout is a draft.

    A release of the same version keeps the salt of the earlier one, so the same installs come first again. With a
    `rival`, a second version, both are compared with the baseline and neither replaces it (A/B). Who `rehearses`
    takes it back, so the slot need not be free.
    Raises: InvalidInputError: with everything that keeps this release from starting; ConflictError: nothing but that
        the model's slot is taken.
    """
    problems = what_is_wrong(session, app=app, model=model, version=version, rival=rival, is_aa=plan.is_aa)
    problems += plans.too_late(plan, now)
    taken = None if rehearses else why_taken(session, app=app, model=model)
    if problems:
        raise InvalidInputError(*problems, *([Problem("", taken)] if taken else []))
    if taken:
        raise ConflictError(taken)
    baselines = current_baselines(session, app=app, model=model)
    candidates = find_artifacts(session, app=app, model=model, version=version)
    rivals = find_artifacts(session, app=app, model=model, version=rival) if rival else ()
    if plan.is_aa:
        candidates = baselines
    release_id, digests = new_id("rel", now), tuple(sorted(artifact.sha256 for artifact in candidates))
    others = tuple(sorted(artifact.sha256 for artifact in rivals))
    salt = None if plan.is_aa or rival else _lineage_salt(session, app=app, model=model, version=version)
    row = ReleaseRow(
        id=release_id, number=bump(session, "number"), app=app, model=model,
        baseline_version=baselines[0].version, candidate_version=version,
        baselines=sorted(artifact.sha256 for artifact in baselines), candidates=list(digests),
        salt=salt or release_id, plan=plans.to_json(plan), plan_hash=plans.plan_hash(plan, (*digests, *others)),
        proposed_by=by, reason=reason, created_at=now, rival_version=rival, rivals=list(others) or None,
    )  # fmt: skip
    rollout = draft(release_id, now=now)
    session.add(row)
    session.flush()
    session.add(RolloutRow(release_id=release_id, slot=None, started_at=None, completed_at=None, **columns(rollout)))
    session.flush()
    return release_of(row), rollout


def what_is_wrong(
    session: Session, *, app: str, model: str, version: str, rival: str | None, is_aa: bool
) -> list[Problem]:
    """Return everything about the files that keeps such a release from being proposed."""
    versions = [each.version for each in current_baselines(session, app=app, model=model)]
    candidates = find_artifacts(session, app=app, model=model, version=version)
    problems = _start_problems(model, version, versions, candidates, is_aa=is_aa)
    problems += refusals(session, app, candidates, path="model")
    if rival:
        rivals = find_artifacts(session, app=app, model=model, version=rival)
        problems += _rival_problems(model, version, rival, versions, rivals)
        problems += refusals(session, app, rivals, path="versus")
    return problems


def load_release(session: Session, ref: str) -> Release:
    """Return the release called "R12" or by its id.

    Raises: NotFoundError.
    """
    number = REFERENCE.fullmatch(ref.strip())
    named = ReleaseRow.number == int(number[1]) if number else ReleaseRow.id == ref.strip()
    row = session.scalar(sa.select(ReleaseRow).where(named))
    if row is None:
        raise NotFoundError(f"There is no release {ref}; `/muster release list` shows them.")
    return release_of(row)


def load_rollout(session: Session, release_id: str) -> Rollout:
    row = session.get(RolloutRow, release_id, populate_existing=True)
    if row is None:
        raise NotFoundError(f"There is no release {release_id}.")
    return rollout_of(row)


def live_releases(session: Session, *, app: str | None = None) -> tuple[tuple[Release, Rollout], ...]:
    """Return the releases that the tick looks at: scheduled, running, rolling back, or completed and still watched."""
    return _with_rollouts(session, RolloutRow.state.in_(_words(WATCHED)), app=app)


def open_releases(session: Session, *, app: str, model: str | None = None) -> tuple[tuple[Release, Rollout], ...]:
    """Return the releases that are not over, proposals included, the newest last."""
    waiting = _words(LIVE | {State.DRAFT, State.AWAITING_APPROVAL, State.SCHEDULED})
    found = _with_rollouts(session, RolloutRow.state.in_(waiting), app=app)
    return tuple(pair for pair in found if model in (None, pair[0].model))


def stood_releases(session: Session) -> tuple[tuple[Release, Rollout], ...]:
    """Return the releases that completed and were not rolled back, the newest first. One that compared two candidates
    or a baseline with itself replaced nothing and is left out."""
    found = _with_rollouts(session, RolloutRow.state.in_(_words({State.COMPLETED, State.SUPERSEDED})), app=None)
    return tuple(pair for pair in reversed(found) if not pair[0].rivals and not pair[0].plan.is_aa)


def recent_releases(
    session: Session, *, app: str, since: datetime, limit: int = 50
) -> tuple[tuple[Release, Rollout], ...]:
    """Return the releases whose state changed since then, the newest last."""
    return _with_rollouts(session, RolloutRow.since >= since, app=app)[-limit:]


def save_rollout(session: Session, before: Rollout, after: Rollout, *, is_taken_back: bool = False) -> None:
    """Write the rollout down if nobody else did in between; the same rollout twice is nothing to save.

    What is taken back needs no approval: it was as it is again.

    Rolling back quarantines the candidate's files for good; starting supersedes the release that completed before.
    Raises: ConflictError: the revision moved on, another release of the model runs, or it would widen in a freeze;
        NotAllowedError: too few people have approved.
    """
    if after == before:
        return
    release = load_release(session, before.release_id)
    starts = before.state is State.SCHEDULED and after.state is State.PROGRESSING
    if starts or after.stage > before.stage:
        _require_thaw(session, release, now=after.stage_since)
    if not is_taken_back:
        require(session, release, before, after)
    changes: dict[str, Any] = {"slot": f"{release.app}/{release.model}" if after.state in LIVE else None}
    changes |= {"started_at": after.since} if starts else {}
    changes |= {"completed_at": after.since} if after.state is State.COMPLETED else {}
    statement = (
        sa.update(RolloutRow)
        .where(RolloutRow.release_id == before.release_id, RolloutRow.revision == before.revision)
        .values(**columns(after), **changes)
        .returning(RolloutRow.release_id)
    )
    try:
        saved = session.execute(statement, execution_options={"synchronize_session": False}).first()
    except IntegrityError as error:
        raise ConflictError(f"Another release of {release.model} is running; one runs at a time.") from error
    if saved is None:
        raise ConflictError(f"{release.name} was changed by somebody else in between; look again.")
    session.expire_all()
    if starts:
        _supersede(session, release, now=after.since)
    if after.state in (State.ROLLING_BACK, State.ROLLED_BACK) and not release.plan.is_aa:
        digests = (*release.candidates, *release.rivals)
        quarantine(session, app=release.app, digests=digests, reason=after.reason or release.name, now=after.since)
    bump(session, "catalog")


def add_event(
    session: Session, release_id: str, *, what: str, who: str, now: datetime, reason: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Append one line to the history; `what` is a word such as "advanced"."""
    session.add(
        ReleaseEventRow(release_id=release_id, at=now, what=what, who=who, reason=reason, facts=dict(facts or {}))
    )
    session.flush()


def history(session: Session, release_id: str) -> tuple[Event, ...]:
    """Return the whole history, the oldest first."""
    rows = session.scalars(
        sa.select(ReleaseEventRow).where(ReleaseEventRow.release_id == release_id).order_by(ReleaseEventRow.id)
    )
    return tuple(
        Event(release_id=row.release_id, at=row.at, what=row.what, who=row.who, reason=row.reason, facts=row.facts)
        for row in rows
    )


def _require_thaw(session: Session, release: Release, *, now: datetime) -> None:
    found = frozen(session, app=release.app, now=now)
    if found is not None:
        raise ConflictError(f"{release.name} cannot widen: {found.sentence}. Halt, roll back and kill still work.")


def _start_problems(
    model: str, version: str, baselines: Sequence[str], candidates: Sequence[Artifact], *, is_aa: bool
) -> list[Problem]:
    problems = []
    if not candidates:
        problems.append(Problem("model", f"{model}@{version} has no registered file; `muster model register` adds one"))
    if not baselines:
        hint = "register one that can be read, with baseline=true"
        problems.append(Problem("model", f"{model} has no baseline to return to; {hint}"))
    elif is_aa and version not in baselines:
        problems.append(Problem("mode", f"aa compares the baseline with itself: say {model}@{baselines[0]}"))
    elif version in baselines and not is_aa:
        problems.append(Problem("model", f"{model}@{version} is the baseline already"))
    return problems + _quarantined("model", candidates)


def _rival_problems(
    model: str, version: str, rival: str, baselines: Sequence[str], rivals: Sequence[Artifact]
) -> list[Problem]:
    problems = []
    if not rivals:
        problems.append(Problem("versus", f"{model}@{rival} has no registered file; `muster model register` adds one"))
    if rival == version or rival in baselines:
        taken = "the candidate itself" if rival == version else "the baseline already"
        problems.append(Problem("versus", f"{model}@{rival} is {taken}; name another version"))
    return problems + _quarantined("versus", rivals)


def _quarantined(path: str, artifacts: Iterable[Artifact]) -> list[Problem]:
    return [
        Problem(path, f"{artifact.name} was rolled back and is quarantined; it can never be offered again")
        for artifact in artifacts
        if artifact.quarantined
    ]


def why_taken(session: Session, *, app: str, model: str) -> str | None:
    """Return why no release of the model can be proposed now, and what to do; None: its slot is free."""
    for release, rollout in open_releases(session, app=app, model=model):
        state = rollout.state.replace("_", " ")
        way = ", or roll it back first" if rollout.state in LIVE else ", or cancel it first"
        way = "" if rollout.state is State.ROLLING_BACK else way
        return f"{release.name} of {model} is {state}; one release of a model at a time: wait for its end{way}."
    return None


def _lineage_salt(session: Session, *, app: str, model: str, version: str) -> str | None:
    earlier = sa.select(ReleaseRow.salt).where(
        ReleaseRow.app == app, ReleaseRow.model == model, ReleaseRow.candidate_version == version
    )
    return session.scalar(earlier.order_by(ReleaseRow.number).limit(1))


def _supersede(session: Session, release: Release, *, now: datetime) -> None:
    earlier = sa.select(ReleaseRow.id).where(
        ReleaseRow.app == release.app, ReleaseRow.model == release.model, ReleaseRow.id != release.id
    )
    session.execute(
        sa.update(RolloutRow)
        .where(RolloutRow.release_id.in_(earlier), RolloutRow.state == str(State.COMPLETED))
        .values(state=str(State.SUPERSEDED), since=now, revision=RolloutRow.revision + 1, reason=f"by {release.name}"),
        execution_options={"synchronize_session": False},
    )


def _with_rollouts(
    session: Session, condition: sa.ColumnElement[bool], *, app: str | None
) -> tuple[tuple[Release, Rollout], ...]:
    query = sa.select(ReleaseRow, RolloutRow).join(RolloutRow, RolloutRow.release_id == ReleaseRow.id).where(condition)
    if app is not None:
        query = query.where(ReleaseRow.app == app)
    rows = session.execute(query.order_by(ReleaseRow.number).execution_options(populate_existing=True))
    return tuple((release_of(release), rollout_of(rollout)) for release, rollout in rows)


def _words(states: Iterable[State]) -> list[str]:
    return sorted(str(state) for state in states)
