"""Approvals in the database: who approved what was shown, whether they are enough, and until when they count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import insert
from core.errors import ConflictError, NotAllowedError
from releases.plan import Release
from releases.states import Rollout, State, approval_subject
from releases.tables import ApprovalRow
from releases.wording import duration, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What waits for people: how many it takes, who approved so far, and when their approvals stop to count."""

    subject: str
    needed: int
    by: tuple[str, ...]
    until: datetime | None

    @property
    def missing(self) -> int:
        return max(0, self.needed - len(self.by))


def approve(session: Session, release: Release, rollout: Rollout, *, by: str, subject: str, now: datetime) -> int:
    """Record a person's approval of what was shown; return how many different people's approvals now count.

    Twice by the same person counts once. `subject` is `approval_subject` of what the person saw.
    Raises: NotAllowedError: the proposer approves; ConflictError: it has changed since, nothing waits for approval, or
        the request for it has expired.
    """
    current = approval_subject(rollout, release.plan_hash)
    if current is None:
        raise ConflictError(f"{release.name} is {rollout.state.replace('_', ' ')}; nothing waits for an approval.")
    if subject != current:
        raise ConflictError(f"This approval is out of date: {release.name} has changed since. Look again.")
    if by == release.proposed_by:
        raise NotAllowedError(f"You proposed {release.name}; somebody else has to approve it.")
    ends = asked_until(release, rollout)
    if ends is not None and now >= ends:
        raise ConflictError(f"The request to approve {release.name} expired on {moment(ends)}: nobody approved it for "
                            f"{duration(release.plan.approve_within)}. Cancel it and propose it again.")  # fmt: skip
    row = {"release_id": release.id, "subject": subject, "by": by, "at": now}
    statement = insert(session, ApprovalRow).values(row)
    renewed = statement.on_conflict_do_update(index_elements=["release_id", "subject", "approved_by"], set_={"at": now})
    session.execute(renewed)
    return len(approvers(session, release.id, subject, since=now - release.plan.approve_within))


def approvers(session: Session, release_id: str, subject: str, *, since: datetime | None = None) -> tuple[str, ...]:
    """Return who approved it (after `since`), in order."""
    named = sa.select(ApprovalRow.by).where(ApprovalRow.release_id == release_id, ApprovalRow.subject == subject)
    if since is not None:
        named = named.where(ApprovalRow.at > since)
    return tuple(session.scalars(named.order_by(ApprovalRow.at, ApprovalRow.by)))


def asked_until(release: Release, rollout: Rollout) -> datetime | None:
    """Return until when a proposal may be approved; a stage or a halt waits for as long as it takes."""
    return rollout.since + release.plan.approve_within if rollout.state is State.AWAITING_APPROVAL else None


def pending(session: Session, release: Release, rollout: Rollout, *, now: datetime) -> Pending | None:
    """Return what waits for people now, None when nothing does."""
    subject = approval_subject(rollout, release.plan_hash)
    if subject is None:
        return None
    since = now - release.plan.approve_within
    oldest = sa.select(sa.func.min(ApprovalRow.at)).where(
        ApprovalRow.release_id == release.id, ApprovalRow.subject == subject, ApprovalRow.at > since
    )
    first = session.scalar(oldest)
    ends = [at for at in (first and first + release.plan.approve_within, asked_until(release, rollout)) if at]
    return Pending(subject=subject, needed=release.plan.approvals, until=min(ends, default=None),
                   by=approvers(session, release.id, subject, since=since))  # fmt: skip


def require(session: Session, release: Release, before: Rollout, after: Rollout) -> None:
    """Let a rollout go on only with as many approvals as its plan asks for.

    Raises: NotAllowedError: with how many are missing.
    """
    if release.plan.approvals < 2 or after.state not in (State.SCHEDULED, State.PROGRESSING):
        return
    waiting = pending(session, release, before, now=after.since)
    if waiting is not None and waiting.missing:
        raise NotAllowedError(f"{len(waiting.by)} of {waiting.needed} people have approved {release.name}; "
                              f"{waiting.missing} more must.")  # fmt: skip


def withdraw(session: Session, release: Release, *, by: str) -> None:
    """Take back a person's approval of the plan; those of others stand."""
    mine = (ApprovalRow.release_id == release.id, ApprovalRow.subject == release.plan_hash, ApprovalRow.by == by)
    session.execute(sa.delete(ApprovalRow).where(*mine))
