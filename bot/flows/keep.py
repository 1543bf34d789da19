"""Keeping a stop: somebody has looked at a breach and says that it stands. Nothing changes but the history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot import permissions
from bot.context import Context
from bot.flows.acts import Outcome, Wish
from bot.permissions import ANY_ROLE
from bot.views.release import who
from core import audit, segments
from releases import store
from releases.plan import Release
from releases.rollout import Rollout, State
from releases.store import Event

STOPS = frozenset({"halted", "cohort_halted"})


def keep(ctx: Context, wish: Wish, *, now: datetime, dry_run: bool = False) -> Outcome:
    """Write down that the halt stands; the second one who says so is told who did.

    Raises: NotAllowedError: names who can; NotFoundError.
    """
    cohort = None if wish.where is None else segments.text(wish.where)
    with ctx.databases.control.begin() as session:
        release = store.load_release(session, wish.ref)
        rollout = store.load_rollout(session, release.id)
        history = store.history(session, release.id)
        if wish.delivery and any(event.facts.get("delivery") == wish.delivery for event in history):
            return Outcome(release=release, rollout=rollout)
        act = f"keep {release.name} halted"
        permissions.require(session, ctx.settings.slack_admins, wish.by, ANY_ROLE, model=release.model, act=act)
        late = _late(release, rollout, history, cohort)
        if late is None and not dry_run:
            facts = {"cohort": cohort, "delivery": wish.delivery, "state": str(rollout.state), "stage": rollout.stage}
            store.add_event(session, release.id, what="kept", who=wish.by, reason=wish.reason, now=now, facts=facts)
            told = {"release": release.id, "model": release.model, "cohort": cohort, "reason": wish.reason}
            audit.record(session, who=wish.by, what="release.kept", subject=release.id, now=now, facts=told)
    return Outcome(release=release, rollout=rollout, late=late)


def _late(release: Release, rollout: Rollout, history: Sequence[Event], cohort: str | None) -> str | None:
    halted = [segments.text(stop.segment) for stop in rollout.stopped if not stop.returns]
    stands = rollout.state is State.HALTED if cohort is None else cohort in halted
    if not stands:
        return f"{release.name} is not halted{f' for {cohort}' if cohort else ''} any more"
    about = [event for event in history if event.what in STOPS | {"kept"} and event.facts.get("cohort") == cohort]
    if about and about[-1].what == "kept":
        return f"{release.name} is kept halted{f' for {cohort}' if cohort else ''} already, by {who(about[-1].who)}"
    return None
