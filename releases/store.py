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

from core.db import insert
from core.errors import ConflictError, InvalidInputError, NotAllowedError, NotFoundError, Problem
from core.ids import new_id
from releases import plan as plans
from releases.artifact_store import current_baselines, find_artifacts, quarantine
from releases.counters import bump
from releases.plan import Plan, Release
from releases.states import LIVE, WATCHED, PausedFor, Rollout, State, approval_subject, draft
from releases.tables import ApprovalRow, ReleaseEventRow, ReleaseRow, RolloutRow

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
    session: Session, *, app: str, model: str, version: str, plan: Plan, by: str, reason: str | None, now: datetime
) -> tuple[Release, Rollout]:
    """Propose to replace the model's current baseline by `version`; the rollout is a draft.

    A release of the same version keeps the salt of the earlier one, so the same installs come first again.
    Raises: InvalidInputError: with everything that keeps this release from starting; ConflictError: the model's slot
        is taken.
    """
    baselines = current_baselines(session, app=app, model=model)
    candidates = find_artifacts(session, app=app, model=model, version=version)
    problems = _start_problems(model, version, [each.version for each in baselines], candidates)
    if problems:
        raise InvalidInputError(*problems)
    _require_free_slot(session, app=app, model=model)
    release_id, digests = new_id("rel", now), tuple(sorted(artifact.sha256 for artifact in candidates))
    row = ReleaseRow(
        id=release_id, number=bump(session, "number"), app=app, model=model,
        baseline_version=baselines[0].version, candidate_version=version,
        baselines=sorted(artifact.sha256 for artifact in baselines), candidates=list(digests),
        salt=_lineage_salt(session, app=app, model=model, version=version) or release_id,
        plan=plans.to_json(plan), plan_hash=plans.plan_hash(plan, digests),
        proposed_by=by, reason=reason, created_at=now,
    )  # fmt: skip
    rollout = draft(release_id, now=now)
    session.add(row)
    session.flush()
    session.add(RolloutRow(release_id=release_id, slot=None, started_at=None, completed_at=None, **_columns(rollout)))
    session.flush()
    return _release(row), rollout


def load_release(session: Session, ref: str) -> Release:
    """Return the release called "R12" or by its id.

    Raises: NotFoundError.
    """
    number = REFERENCE.fullmatch(ref.strip())
    named = ReleaseRow.number == int(number[1]) if number else ReleaseRow.id == ref.strip()
    row = session.scalar(sa.select(ReleaseRow).where(named))
    if row is None:
        raise NotFoundError(f"There is no release {ref}; `/muster release list` shows them.")
    return _release(row)


def load_rollout(session: Session, release_id: str) -> Rollout:
    row = session.get(RolloutRow, release_id, populate_existing=True)
    if row is None:
        raise NotFoundError(f"There is no release {release_id}.")
    return _rollout(row)


def live_releases(session: Session, *, app: str | None = None) -> tuple[tuple[Release, Rollout], ...]:
    """Return the releases that the tick looks at: scheduled, running, rolling back, or completed and still watched."""
    return _with_rollouts(session, RolloutRow.state.in_(_words(WATCHED)), app=app)


def open_releases(session: Session, *, app: str, model: str | None = None) -> tuple[tuple[Release, Rollout], ...]:
    """Return the releases that are not over, proposals included, the newest last."""
    waiting = _words(LIVE | {State.DRAFT, State.AWAITING_APPROVAL, State.SCHEDULED})
    found = _with_rollouts(session, RolloutRow.state.in_(waiting), app=app)
    return tuple(pair for pair in found if model in (None, pair[0].model))


def recent_releases(
    session: Session, *, app: str, since: datetime, limit: int = 50
) -> tuple[tuple[Release, Rollout], ...]:
    """Return the releases whose state changed since then, the newest last."""
    return _with_rollouts(session, RolloutRow.since >= since, app=app)[-limit:]


def save_rollout(session: Session, before: Rollout, after: Rollout) -> None:
    """Write the rollout down if nobody else did in between; the same rollout twice is nothing to save.

    Rolling back quarantines the candidate's files for good; starting supersedes the release that completed before.
    Raises: ConflictError: the revision moved on, or another release of the model runs.
    """
    if after == before:
        return
    release = load_release(session, before.release_id)
    starts = before.state is State.SCHEDULED and after.state is State.PROGRESSING
    changes: dict[str, Any] = {"slot": f"{release.app}/{release.model}" if after.state in LIVE else None}
    changes |= {"started_at": after.since} if starts else {}
    changes |= {"completed_at": after.since} if after.state is State.COMPLETED else {}
    statement = (
        sa.update(RolloutRow)
        .where(RolloutRow.release_id == before.release_id, RolloutRow.revision == before.revision)
        .values(**_columns(after), **changes)
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
    if after.state in (State.ROLLING_BACK, State.ROLLED_BACK):
        quarantine(session, app=release.app, digests=release.candidates, reason=after.reason or release.name,
                   now=after.since)  # fmt: skip
    bump(session, "catalog")


def approve(session: Session, release: Release, rollout: Rollout, *, by: str, subject: str, now: datetime) -> int:
    """Record a person's approval of what was shown; return how many different people approved it.

    Twice by the same person counts once. `subject` is `approval_subject` of what the person saw.
    Raises: NotAllowedError: the proposer approves; ConflictError: it has changed since, or nothing waits for approval.
    """
    current = approval_subject(rollout, release.plan_hash)
    if current is None:
        raise ConflictError(f"{release.name} is {rollout.state.replace('_', ' ')}; nothing waits for an approval.")
    if subject != current:
        raise ConflictError(f"This approval is out of date: {release.name} has changed since. Look again.")
    if by == release.proposed_by:
        raise NotAllowedError(f"You proposed {release.name}; somebody else has to approve it.")
    row = {"release_id": release.id, "subject": subject, "by": by, "at": now}
    session.execute(insert(session, ApprovalRow).values(row).on_conflict_do_nothing())
    return len(approvers(session, release.id, subject))


def approvers(session: Session, release_id: str, subject: str) -> tuple[str, ...]:
    """Return who approved it, in order."""
    named = sa.select(ApprovalRow.by).where(ApprovalRow.release_id == release_id, ApprovalRow.subject == subject)
    return tuple(session.scalars(named.order_by(ApprovalRow.at, ApprovalRow.by)))


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


def _start_problems(model: str, version: str, baselines: Sequence[str], candidates: Sequence[Any]) -> list[Problem]:
    problems = []
    if not candidates:
        problems.append(Problem("model", f"{model}@{version} has no registered file; `muster model register` adds one"))
    if not baselines:
        problems.append(Problem("model", f"{model} has no baseline to return to; register one with baseline=true"))
    elif version in baselines:
        problems.append(Problem("model", f"{model}@{version} is the baseline already"))
    problems += [
        Problem("model", f"{artifact.name} was rolled back and is quarantined; it can never be offered again")
        for artifact in candidates
        if artifact.quarantined
    ]
    return problems


def _require_free_slot(session: Session, *, app: str, model: str) -> None:
    for release, rollout in open_releases(session, app=app, model=model):
        state = rollout.state.replace("_", " ")
        raise ConflictError(f"{release.name} of {model} is {state}; one release of a model at a time.")


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
    return tuple((_release(release), _rollout(rollout)) for release, rollout in rows)


def _columns(rollout: Rollout) -> dict[str, Any]:
    return {
        "state": str(rollout.state), "stage": rollout.stage, "since": rollout.since,
        "stage_since": rollout.stage_since, "revision": rollout.revision, "reason": rollout.reason,
        "paused_for": str(rollout.paused_for) if rollout.paused_for else None, "cleared": rollout.cleared,
    }  # fmt: skip


def _rollout(row: RolloutRow) -> Rollout:
    return Rollout(
        release_id=row.release_id, state=State(row.state), stage=row.stage, since=row.since,
        stage_since=row.stage_since, revision=row.revision, reason=row.reason,
        paused_for=PausedFor(row.paused_for) if row.paused_for else None, cleared=row.cleared,
    )  # fmt: skip


def _release(row: ReleaseRow) -> Release:
    return Release(
        id=row.id, number=row.number, app=row.app, model=row.model, baseline_version=row.baseline_version,
        candidate_version=row.candidate_version, baselines=tuple(row.baselines), candidates=tuple(row.candidates),
        salt=row.salt, plan=plans.from_json(row.plan), plan_hash=row.plan_hash, proposed_by=row.proposed_by,
        reason=row.reason, created_at=row.created_at,
    )  # fmt: skip


def _words(states: Iterable[State]) -> list[str]:
    return sorted(str(state) for state in states)
