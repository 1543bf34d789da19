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
from bot.flows.measure import look
from bot.flows.release import carry_out
from bot.flows.release_card import approval_mark
from bot.permissions import ANY_ROLE, Role
from bot.views.release import BY_HAND, who
from core.db import reading
from core.errors import ConflictError, NotAllowedError
from releases import store
from releases.guardrails import Finding
from releases.plan import Release
from releases.rollout import (
    Act,
    Advance,
    Approve,
    Cancel,
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
    """What somebody wants: `stage` (from 1) and `seen` are what the button was shown for, when it was one."""

    verb: str
    ref: str
    by: str
    reason: str | None = None
    stage: int | None = None
    seen: str | None = None
    delivery: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. `late` says why nothing was changed; None when it was done (or would be, in a dry run)."""

    release: Release
    rollout: Rollout
    late: str | None = None


class _RacedError(Exception):
    """Somebody else was faster between reading and writing."""


def act(ctx: Context, wish: Wish, *, now: datetime, dry_run: bool = False) -> Outcome:
    """Carry out a person's wish, however many others click at the same time.

    Raises: NotAllowedError: names who can; NotFoundError; ConflictError: a guardrail is breached, or another release
        of the model runs.
    """
    findings = _findings(ctx, wish) if wish.verb == "advance" else ()
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
    step = _step(wish, release, rollout, findings)
    try:
        after = apply(rollout, step, now)
    except ConflictError as conflict:
        return Outcome(release=release, rollout=rollout, late=_named(conflict, release))
    if dry_run:
        return Outcome(release=release, rollout=after)
    if isinstance(step, Approve):
        subject = approval_subject(rollout, release.plan_hash) or release.plan_hash
        store.approve(session, release, rollout, by=wish.by, subject=subject, now=now)
    try:
        carry_out(session, release, rollout, step, by=wish.by, now=now, delivery=wish.delivery)
    except ConflictError as conflict:
        raise _RacedError(conflict.message) from conflict
    return Outcome(release=release, rollout=after)


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
    if rollout.state in ALREADY.get(wish.verb, ()):
        word = "approved" if wish.verb == "approve" else rollout.state.replace("_", " ")
        return f"{release.name} is {word} already"
    if wish.verb == "advance" and wish.stage is not None and wish.stage != rollout.stage + 1:
        return f"{release.name} has moved on to stage {rollout.stage + 1} since this was shown"
    return None


def _step(wish: Wish, release: Release, rollout: Rollout, findings: Sequence[Finding]) -> Act:
    """Return the act. Raises: as `next_step`."""
    reason = wish.reason or BY_HAND
    match wish.verb:
        case "advance" if rollout.state is State.PROGRESSING:
            return next_step(rollout, release.plan, findings, reason=reason)
        case "advance":
            return Advance(stage=rollout.stage + 1, reason=reason)
        case "approve":
            return Approve(reason=wish.reason) if wish.reason else Approve()
        case "reject":
            return Reject(reason=reason)
        case "pause":
            return Pause(reason=reason)
        case "resume":
            return Resume(reason=reason)
        case "cancel":
            return Cancel(reason=reason)
        case "halt":
            return Halt(reason=reason)
        case "rollback":
            return RollBack(reason=reason)
        case "kill":
            return Kill(reason=reason)
        case verb:
            raise ValueError(f"no such act: {verb}")


def _findings(ctx: Context, wish: Wish) -> tuple[Finding, ...]:
    with reading(ctx.databases.control) as session:
        release = store.load_release(session, wish.ref)
        rollout = store.load_rollout(session, release.id)
    return look(ctx, release, rollout).findings
