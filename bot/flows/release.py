"""The flow of a release: measure, judge, decide, carry out. Ticks, buttons and commands end in the same `carry_out`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from bot import cards, tickets
from bot.context import Context
from bot.flows.breach import Breach, investigate
from bot.flows.look import look
from bot.flows.release_card import announce, refresh, show_card
from bot.views.release_news import MUSTER
from core import audit
from core.db import reading
from core.engine import enqueue
from core.errors import ConflictError
from releases import store
from releases.acts import facts_of
from releases.plan import Release
from releases.rollout import (
    Act,
    Advance,
    Approve,
    Cancel,
    Complete,
    Decision,
    Halt,
    Hold,
    Kill,
    Pause,
    Reject,
    Resume,
    RollBack,
    Rollout,
    State,
    Submit,
    Supersede,
    Undo,
    apply,
)

__all__ = ["announce", "carry_out", "show_card", "tick"]

log = logging.getLogger(__name__)

KINDS: Mapping[type[Act], str] = {
    Submit: "proposed", Approve: "approved", Reject: "rejected", Cancel: "cancelled", Advance: "advanced",
    Pause: "paused", Resume: "resumed", Halt: "halted", RollBack: "rolled_back", Kill: "killed",
    Complete: "completed", Supersede: "superseded", Undo: "taken_back",
}  # fmt: skip


def tick(ctx: Context, release_id: str, now: datetime) -> Decision:
    """Look at one release once. A person who is faster wins: the next tick sees what they did."""
    with reading(ctx.databases.control) as session:
        release, rollout = store.load_release(session, release_id), store.load_rollout(session, release_id)
    if rollout.state is State.COMPLETED and now >= rollout.since + release.plan.watch:
        return Hold(reason="no longer watched")
    seen = look(ctx, release, rollout, now)
    decision = seen.decide(release, rollout, now)
    if isinstance(decision, Hold):
        refresh(ctx, release, now, seen)
        return decision
    breach = investigate(ctx, release, rollout, decision, seen, now)
    try:
        with ctx.databases.control.begin() as session:
            carry_out(session, release, rollout, decision, by=MUSTER, now=now, breach=breach)
    except ConflictError as conflict:
        log.info("release.raced", extra={"release": release.id, "reason": conflict.message})
        return Hold(reason=conflict.message)
    return decision


def carry_out(
    session: Session,
    release: Release,
    before: Rollout,
    act: Act,
    *,
    by: str,
    now: datetime,
    breach: Breach | None = None,
    delivery: str | None = None,
) -> Rollout:
    """Write down an act and everything that follows from it, in the caller's transaction: all of it or nothing.

    `delivery` names the click or command, so that the same one is carried out once.
    Raises: ConflictError: somebody else changed the release since `before` was read, or the state does not allow it;
        NotAllowedError: it takes an approval first.
    """
    after = apply(before, act, now)
    if after == before:
        return before
    store.save_rollout(session, before, after, is_taken_back=isinstance(act, Undo))
    kind = kind_of(before, act)
    facts = {"revision": after.revision, "stage": after.stage, "state": str(after.state), "delivery": delivery}
    facts |= facts_of(act)
    if breach is not None:
        facts |= breach.facts()
        card = cards.posted(session, release.id)
        thread = {"channel": card.channel, "thread": card.ts} if card else {}
        tickets.want(session, breach.regression, now=now, **thread)
    store.add_event(session, release.id, what=kind, who=by, reason=act.reason, now=now, facts=facts)
    audit.record(session, who=by, what=f"release.{kind}", subject=release.id, now=now, facts=_told(release, act, facts))
    enqueue(session, "show_card", key=f"{release.id}/{after.revision}", release=release.id)
    enqueue(session, "announce", key=f"{release.id}/{after.revision}", release=release.id, revision=str(after.revision))
    if kind == "started":
        _show_superseded(session, release, now)
    log.info(f"release.{kind}", extra={"release": release.id, "stage": after.stage, "revision": after.revision})
    return after


def note_approval(
    session: Session, release: Release, rollout: Rollout, *, by: str, missing: int, now: datetime, delivery: str | None
) -> None:
    """Write down the approval of one of several people: the release waits on, and its card says for how many."""
    facts = {"missing": missing, "delivery": delivery, "state": str(rollout.state), "stage": rollout.stage}
    store.add_event(session, release.id, what="approved_in_part", who=by, now=now, facts=facts)
    told = {"release": release.id, "model": release.model, "plan": release.plan_hash, "missing": missing}
    audit.record(session, who=by, what="release.approved_in_part", subject=release.id, now=now, facts=told)
    enqueue(session, "show_card", key=f"{release.id}/{rollout.revision}/{by}", release=release.id)


def kind_of(before: Rollout, act: Act) -> str:
    """Return the word of the history for an act: see release_news.News."""
    if isinstance(act, Advance) and before.state is State.SCHEDULED:
        return "started"
    if isinstance(act, Complete) and before.state is State.ROLLING_BACK:
        return "returned"
    if isinstance(act, Halt | RollBack | Resume) and act.cohort is not None:
        return f"cohort_{KINDS[type(act)]}"
    return KINDS[type(act)]


def _show_superseded(session: Session, release: Release, now: datetime) -> None:
    for other, rollout in store.recent_releases(session, app=release.app, since=now):
        if other.model == release.model and rollout.state is State.SUPERSEDED:
            enqueue(session, "show_card", key=f"{other.id}/{rollout.revision}", release=other.id)


def _told(release: Release, act: Act, facts: Mapping[str, object]) -> dict[str, object]:
    shown = {name: value for name, value in facts.items() if value is not None}
    return {"release": release.id, "model": release.model, "reason": act.reason, "plan": release.plan_hash, **shown}
