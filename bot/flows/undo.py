"""Taking back what somebody changed in the last ten minutes, where that is still possible.

The audit log says what they did last; each kind of change has its way back or a reason why there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from bot import permissions, store, tickets
from bot.context import Context
from bot.flows.acts import ROLES
from bot.flows.release import carry_out
from bot.permissions import Role
from core import audit, segments, values
from core.audit import Entry
from core.db import reading
from core.errors import ConflictError, NotFoundError
from feedback import store as feedback
from releases import store as releases
from releases import throttles
from releases.freeze_store import add_freeze, remove_freeze
from releases.plan import Release
from releases.rollout import Act, Cancel, Halt, Pause, Resume, Rollout, State, Undo
from releases.throttle_store import lift_throttle, set_throttle
from releases.wording import count

WITHIN: Final = timedelta(minutes=10)
UNDONE: Final = "undone"
LOOKED_AT: Final = 50
GONE: Final[Mapping[str, str]] = {
    "release.advanced": "A wider share is never made narrower, so that nobody is moved out. `release halt {name}` lets "
    "no further install in, `release rollback {name}` calls back those that have it.",
    "release.rolled_back": "What was rolled back is never offered again; a new version has to be proposed.",
    "release.killed": "What was killed is never offered again; a new version has to be proposed.",
    "release.cohort_rolled_back": "A cohort that was rolled back is never offered this candidate again.",
    "release.rejected": "A rejected proposal is over; propose it again.",
    "release.cancelled": "A cancelled proposal is over; propose it again.",
    "release.kept": "It only tells that somebody has looked.",
    "release.approved_in_part": "An approval stands; `release reject {name}` ends the proposal.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What came of it. `late`: why nothing was taken back. `fetched`: what phones had of it by then, in words."""

    entry: Entry
    name: str
    late: str | None = None
    fetched: str | None = None


def undo(ctx: Context, person: str, ref: str | None, *, now: datetime, dry_run: bool = False) -> Undone:
    """Take back the last thing that somebody changed, of a release if one is named.

    Raises: NotFoundError: there is nothing of the last ten minutes; NotAllowedError: the right is gone meanwhile.
    """
    with reading(ctx.databases.control) as session:
        subject = releases.load_release(session, ref).id if ref else None
        entry, settled = _last(session, person, subject, now)
    fetched = _fetched(ctx, entry)
    with ctx.databases.control.begin() as session:
        name = _name(session, entry)
        try:
            _take_back(ctx, session, entry, settled, person, now)
        except ConflictError as conflict:
            session.rollback()
            return Undone(entry=entry, name=name, late=conflict.message, fetched=fetched)
        facts = {"undoes": entry.position, "what": entry.what}
        audit.record(session, who=person, what=UNDONE, subject=entry.subject, now=now, facts=facts)
        if dry_run:
            session.rollback()
    return Undone(entry=entry, name=name, fetched=fetched)


def _last(session: Session, person: str, subject: str | None, now: datetime) -> tuple[Entry, frozenset[object]]:
    """Return what they changed last, and the revisions since that they took back already."""
    found = audit.entries(session, subject=subject, who=person, limit=LOOKED_AT)
    undone = [entry for entry in found if entry.what == UNDONE]
    done = {entry.facts["undoes"] for entry in undone}
    # What an undo does to a release is written down as an act of its own, just before the undo.
    done |= {entry.position - 1 for entry in undone if str(entry.facts["what"]).startswith("release.")}
    settled = frozenset(entry.facts.get("revision") for entry in found if entry.position in done)
    for entry in found:
        if entry.what != UNDONE and entry.position not in done and now - entry.at <= WITHIN:
            return entry, settled
    raise NotFoundError("You changed nothing in the last ten minutes that could be taken back.")


def _take_back(
    ctx: Context, session: Session, entry: Entry, settled: frozenset[object], person: str, now: datetime
) -> None:
    """Raises: ConflictError: it cannot be taken back, with why."""
    if entry.what.startswith("release."):
        _release(ctx, session, entry, settled, person, now)
        return
    way = WAYS.get(entry.what)
    if way is None:
        raise ConflictError("That cannot be taken back by itself; change it the other way.")
    roles, back = way
    model = str(entry.facts.get("model") or "") or None
    act = f"take back {entry.what.replace('.', ' ')}"
    permissions.require(session, ctx.settings.slack_admins, person, roles, model=model, act=act)
    back(ctx, session, entry, person, now)


def _release(
    ctx: Context, session: Session, entry: Entry, settled: frozenset[object], person: str, now: datetime
) -> None:
    release = releases.load_release(session, entry.subject)
    rollout = releases.load_rollout(session, release.id)
    if entry.what in GONE:
        raise ConflictError(GONE[entry.what].format(name=release.name))
    since = range(int(str(entry.facts.get("revision", 0))) + 1, rollout.revision + 1)
    if any(revision not in settled for revision in since):
        raise ConflictError(f"{release.name} has changed since; it is {rollout.state.replace('_', ' ')} now.")
    verb = VERBS.get(entry.what)
    if verb is not None and not (verb == "cancel" and person == release.proposed_by):
        act = f"take that back on {release.name}"
        permissions.require(session, ctx.settings.slack_admins, person, ROLES[verb], model=release.model, act=act)
    step = _opposite(session, entry, release, rollout)
    if isinstance(step, Undo) and rollout.state is State.SCHEDULED:
        releases.withdraw(session, release, by=person)
    carry_out(session, release, rollout, step, by=person, now=now)


def _opposite(session: Session, entry: Entry, release: Release, rollout: Rollout) -> Act:
    """Return the act that takes back what was done. Raises: ConflictError: there is none."""
    reason, told = "taken back", str(entry.facts.get("cohort") or "")
    cohort = segments.parse(told) if told else None
    match entry.what:
        case "release.proposed":
            return Cancel(reason=reason)
        case "release.paused" | "release.cohort_halted":
            return Resume(reason=reason, cohort=cohort)
        case "release.resumed":
            return Pause(reason=reason)
        case "release.cohort_resumed":
            return Halt(reason=reason, cohort=cohort)
        case "release.halted" | "release.approved":
            before = _before(session, release, rollout)
            return Undo(reason=reason, state=before["state"], paused_for=before.get("paused_for"))
        case _:
            raise ConflictError("That cannot be taken back.")


def _before(session: Session, release: Release, rollout: Rollout) -> Mapping[str, Any]:
    """Return what the history keeps of the state before this one."""
    told = [event.facts for event in releases.history(session, release.id) if "revision" in event.facts]
    return next(facts for facts in reversed(told) if facts["revision"] < rollout.revision)


def _fetched(ctx: Context, entry: Entry) -> str | None:
    """Say how many phones had the candidate of a release by now."""
    if not entry.what.startswith("release."):
        return None
    with reading(ctx.databases.control) as session:
        release = releases.load_release(session, entry.subject)
    with feedback.fresh(ctx.databases.ingest) as session:
        diaries = feedback.diaries(session, app=release.app, release=release.id)
    came = feedback.arrivals(diaries, version=release.candidate_version)
    n = sum(each.installs for each in came if each.arm == "candidate")
    if not n:
        return f"No phone has told yet that it fetched {release.candidate_version}."
    phones = "1 phone has" if n == 1 else f"{count(n)} phones have"
    return f"{phones} fetched {release.candidate_version} by now."


def _name(session: Session, entry: Entry) -> str:
    return releases.load_release(session, entry.subject).name if entry.subject.startswith("rel_") else entry.subject


def _freeze_added(ctx: Context, session: Session, entry: Entry, person: str, now: datetime) -> None:
    remove_freeze(session, entry.subject, app=ctx.settings.app, by=person, now=now)


def _freeze_removed(ctx: Context, session: Session, entry: Entry, person: str, now: datetime) -> None:
    rule, reason = str(entry.facts["rule"]), entry.facts.get("reason")
    add_freeze(session, rule, app=ctx.settings.app, by=person, now=now, reason=str(reason) if reason else None)


def _throttle_set(ctx: Context, session: Session, entry: Entry, person: str, now: datetime) -> None:
    lift_throttle(session, entry.subject, app=ctx.settings.app, by=person, now=now)


def _throttle_lifted(ctx: Context, session: Session, entry: Entry, person: str, now: datetime) -> None:
    told = {name: str(value) for name, value in entry.facts.items() if value is not None}
    segment = values.segment(told.get("where"))
    read = throttles.read(segment, per_minute=told.get("per_minute"), runs=told.get("runs"), reason=told.get("reason"))
    set_throttle(session, read, app=ctx.settings.app, model=told["model"], by=person, now=now)


def _role_granted(_ctx: Context, session: Session, entry: Entry, _person: str, _now: datetime) -> None:
    store.revoke(session, person=entry.subject, role=str(entry.facts["role"]), model=str(entry.facts["model"]))


def _role_revoked(_ctx: Context, session: Session, entry: Entry, person: str, now: datetime) -> None:
    role, model = str(entry.facts["role"]), str(entry.facts["model"])
    store.grant(session, person=entry.subject, role=role, model=model, by=person, now=now)


def _ticket_muted(_ctx: Context, session: Session, entry: Entry, _person: str, _now: datetime) -> None:
    ticket = tickets.load(session, str(entry.facts["fingerprint"]), lock=True)
    if ticket.state == "muted":
        tickets.unmute(session, ticket)


Back = Callable[[Context, Session, Entry, str, datetime], None]
CALENDAR: Final[Sequence[Role]] = ("operator", "approver")
WAYS: Final[Mapping[str, tuple[Sequence[Role], Back]]] = {
    "freeze.added": (CALENDAR, _freeze_added),
    "freeze.removed": (CALENDAR, _freeze_removed),
    "throttle.set": (CALENDAR, _throttle_set),
    "throttle.lifted": (CALENDAR, _throttle_lifted),
    "role.grant": (("admin",), _role_granted),
    "role.revoke": (("admin",), _role_revoked),
    "ticket.muted": (permissions.ANY_ROLE, _ticket_muted),
}
VERBS: Final[Mapping[str, str]] = {
    "release.proposed": "cancel", "release.approved": "approve", "release.paused": "pause", "release.resumed": "resume",
    "release.halted": "halt", "release.cohort_halted": "halt", "release.cohort_resumed": "resume",
}  # fmt: skip
