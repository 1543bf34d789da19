"""What people do to a release: allowed, still possible and not done already, then the same `carry_out` as a tick's.

A click remembers what it was shown for (`stage=2`, `seen=ab12…`), so one that comes late does nothing and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from bot import permissions
from bot.context import Context
from bot.flows.look import LAST_WEEK, look
from bot.flows.release import carry_out, note_approval
from bot.flows.release_card import approval_mark
from bot.permissions import ANY_ROLE, Role
from bot.views.release import BY_HAND, who
from core import segments
from core.db import reading
from core.errors import ConflictError, InvalidInputError, NotAllowedError, Problem
from core.segments import Segment, matches
from feedback import store as feedback
from releases import store
from releases.freeze_store import frozen
from releases.guardrails import Finding
from releases.plan import Release
from releases.rollout import (
    Act,
    Advance,
    Approve,
    Cancel,
    Frozen,
    Halt,
    Kill,
    Pause,
    Reject,
    Resume,
    RollBack,
    Rollout,
    State,
    apply,
    approval_subject,
    next_step,
)
from releases.store import Event
from releases.wording import count

TRIES: Final = 5
ROLES: Final[Mapping[str, Sequence[Role]]] = {
    "approve": ("approver",), "reject": ("approver",), "advance": ("operator",), "pause": ("operator",),
    "resume": ("operator",), "cancel": ("operator",), "halt": ANY_ROLE, "rollback": ANY_ROLE, "kill": ANY_ROLE,
}  # fmt: skip
ALREADY: Final[Mapping[str, frozenset[State]]] = {
    "approve": frozenset({State.SCHEDULED, State.PROGRESSING, State.COMPLETED}),
    "reject": frozenset({State.REJECTED}),
    "pause": frozenset({State.PAUSED}),
    "resume": frozenset({State.PROGRESSING}),
    "cancel": frozenset({State.CANCELLED}),
    "halt": frozenset({State.HALTED}),
    "rollback": frozenset({State.ROLLING_BACK, State.ROLLED_BACK}),
    "kill": frozenset({State.ROLLED_BACK}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants: `stage` (from 1) and `seen` are what the button was shown for, when it was one.

    `where`: the one cohort that is meant.
    """

    verb: str
    ref: str
    by: str
    reason: str | None = None
    stage: int | None = None
    seen: str | None = None
    where: Segment | None = None
    delivery: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. `late` says why nothing was changed; None when it was done (or would be, in a dry run).

    `waits`: the approval counts, and so many more people must approve.
    """

    release: Release
    rollout: Rollout
    late: str | None = None
    waits: int = 0


class _RacedError(Exception):
    """Somebody else was faster between reading and writing."""


def act(ctx: Context, wish: Wish, *, now: datetime, dry_run: bool = False) -> Outcome:
    """Carry out a person's wish, however many others click at the same time.

    Raises: NotAllowedError: names who can; NotFoundError; ConflictError: a guardrail is breached, or another release
        of the model runs.
    """
    _require_cohort(ctx, wish, now)
    findings = _findings(ctx, wish, now) if wish.verb == "advance" else ()
    for left in reversed(range(TRIES)):
        try:
            with ctx.databases.control.begin() as session:
                return _once(ctx, session, wish, findings, now, dry_run=dry_run)
        except _RacedError as raced:
            if not left:
                raise ConflictError(str(raced)) from raced
    raise AssertionError("the last try returns or raises")


def _once(
    ctx: Context, session: Session, wish: Wish, findings: Sequence[Finding], now: datetime, *, dry_run: bool
) -> Outcome:
    release = store.load_release(session, wish.ref)
    rollout = store.load_rollout(session, release.id)
    history = store.history(session, release.id)
    if wish.delivery and any(event.facts.get("delivery") == wish.delivery for event in history):
        return Outcome(release=release, rollout=rollout)
    _require(ctx, session, wish, release)
    late = _late(wish, release, rollout)
    if late is not None:
        return Outcome(release=release, rollout=rollout, late=f"{late}{_by(wish, history)}")
    ice = frozen(session, app=release.app, now=now) if wish.verb == "advance" else None
    step = _step(wish, release, rollout, findings, ice)
    try:
        after = apply(rollout, step, now)
    except ConflictError as conflict:
        return Outcome(release=release, rollout=rollout, late=_named(conflict, release))
    if isinstance(step, Approve):
        missing, is_new = _approve(session, wish, release, rollout, now, dry_run=dry_run)
        if missing:
            others = f"{missing} more {'person' if missing == 1 else 'people'} must"
            late = None if is_new else f"You have approved {release.name} already; {others}"
            return Outcome(release=release, rollout=rollout, late=late, waits=missing)
    if dry_run:
        return Outcome(release=release, rollout=after)
    try:
        carry_out(session, release, rollout, step, by=wish.by, now=now, delivery=wish.delivery)
    except ConflictError as conflict:
        raise _RacedError(conflict.message) from conflict
    return Outcome(release=release, rollout=after)


def _approve(
    session: Session, wish: Wish, release: Release, rollout: Rollout, now: datetime, *, dry_run: bool
) -> tuple[int, bool]:
    """Write the approval down; return how many more it takes and whether this person's is new."""
    subject = approval_subject(rollout, release.plan_hash) or release.plan_hash
    waiting = store.pending(session, release, rollout, now=now)
    is_new = waiting is None or wish.by not in waiting.by
    with session.begin_nested() as savepoint:
        missing = release.plan.approvals - store.approve(
            session, release, rollout, by=wish.by, subject=subject, now=now
        )
        if dry_run:
            savepoint.rollback()
    if missing > 0 and is_new and not dry_run:
        note_approval(session, release, rollout, by=wish.by, missing=missing, now=now, delivery=wish.delivery)
    return max(0, missing), is_new


def _require_cohort(ctx: Context, wish: Wish, now: datetime) -> None:
    """Raises: InvalidInputError: the cohort is nobody that the release is for."""
    if wish.where is None:
        return
    with reading(ctx.databases.control) as session:
        release = store.load_release(session, wish.ref)
    with feedback.fresh(ctx.databases.ingest) as session:
        seen = [device for _, device in feedback.installs_seen(session, app=release.app, since=now - LAST_WEEK)]
    rule = segments.text(wish.where)
    meant = [device for device in seen if matches(wish.where, device)]
    if seen and not meant:
        raise InvalidInputError(Problem("where", f"{rule} matches none of last week's {count(len(seen))} installs"))
    if meant and not any(matches(release.plan.segment, device) for device in meant):
        whom = segments.text(release.plan.segment)
        raise InvalidInputError(Problem("where", f"{rule} gets nothing of {release.name}, which is for {whom}"))


def _by(wish: Wish, history: Sequence[Event]) -> str:
    """Say who did it, of what is done already."""
    approvals = [event for event in history if event.what == "approved"] if wish.verb == "approve" else []
    last = (approvals or list(history))[-1:]
    return "".join(f", by {who(event.who) if event.who != 'muster' else 'Muster'}" for event in last)


def _named(conflict: ConflictError, release: Release) -> str:
    return conflict.message.replace("The release", release.name, 1)


def _require(ctx: Context, session: Session, wish: Wish, release: Release) -> None:
    """Raises: NotAllowedError: with who can."""
    admins, roles = ctx.settings.slack_admins, ROLES[wish.verb]
    if wish.verb == "cancel" and wish.by == release.proposed_by:
        return
    words = "roll back" if wish.verb == "rollback" else wish.verb
    permissions.require(session, admins, wish.by, roles, model=release.model, act=f"{words} {release.name}")
    if wish.verb == "approve" and wish.by == release.proposed_by:
        others = [one for one in permissions.who_can(session, admins, roles, release.model) if one != wish.by]
        able = f" {permissions.either([who(one) for one in others])} can." if others else " Nobody else can yet."
        raise NotAllowedError(f"You proposed {release.name}, so somebody else has to approve it.{able}")


def _late(wish: Wish, release: Release, rollout: Rollout) -> str | None:
    """Return why there is nothing left to do, or why what was clicked is out of date."""
    if wish.verb == "approve":
        mark = approval_mark(release, rollout)
        if mark is not None:
            is_old = wish.seen is not None and wish.seen != mark
            return f"{release.name} has changed since this was shown: look again" if is_old else None
    if wish.where is None and rollout.state in ALREADY.get(wish.verb, ()):
        word = "approved" if wish.verb == "approve" else rollout.state.replace("_", " ")
        return f"{release.name} is {word} already"
    if wish.verb == "advance" and wish.stage is not None and wish.stage != rollout.stage + 1:
        return f"{release.name} has moved on to stage {rollout.stage + 1} since this was shown"
    return None


def _step(wish: Wish, release: Release, rollout: Rollout, findings: Sequence[Finding], ice: Frozen | None) -> Act:
    """Return the act. Raises: as `next_step`."""
    reason = wish.reason or BY_HAND
    match wish.verb:
        case "advance" if rollout.state is State.PROGRESSING:
            return next_step(rollout, release.plan, findings, reason=reason, frozen=ice)
        case "advance" if ice is not None and rollout.state is State.SCHEDULED:
            raise ConflictError(f"{release.name} cannot start: {ice.sentence}. Halt, roll back and kill still work.")
        case "advance":
            return Advance(stage=rollout.stage + 1, reason=reason)
        case "approve":
            return Approve(reason=wish.reason) if wish.reason else Approve()
        case "reject":
            return Reject(reason=reason)
        case "pause":
            return Pause(reason=reason)
        case "resume":
            return Resume(reason=reason, cohort=wish.where)
        case "cancel":
            return Cancel(reason=reason)
        case "halt":
            return Halt(reason=reason, cohort=wish.where)
        case "rollback":
            return RollBack(reason=reason, cohort=wish.where)
        case "kill":
            return Kill(reason=reason)
        case verb:
            raise ValueError(f"no such act: {verb}")


def _findings(ctx: Context, wish: Wish, now: datetime) -> tuple[Finding, ...]:
    with reading(ctx.databases.control) as session:
        release = store.load_release(session, wish.ref)
        rollout = store.load_rollout(session, release.id)
    return look(ctx, release, rollout, now).findings
