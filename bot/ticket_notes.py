"""What is written down of a ticket's issue: the attempt before it is made, and what became of it.

None of it depends on the revision that somebody read but the claims: what Jira has made must never be forgotten.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from bot import tickets
from bot.ticket_rules import State, Ticket, band_told, create_mark, heal_mark, is_heal_mark
from core.engine import enqueue


def claim_create(session: Session, before: Ticket, *, after: int, wall: datetime) -> Ticket:
    """Write down that the issue is about to be posted; only who gets this far may post it.

    Raises: ConflictError: somebody else did.
    """
    return tickets.change(
        session, before, state="creating", attempt=create_mark(before), attempted_at=wall, attempt_after=after
    )


def claim_comment(session: Session, before: Ticket, mark: str, *, wall: datetime) -> Ticket:
    return tickets.change(session, before, attempt=mark, attempted_at=wall)


def refused(session: Session, before: Ticket, problem: str | None = None) -> Ticket:
    """Jira certainly did not do it: that attempt is not in flight any more."""
    now_there = tickets.load(session, before.fingerprint, lock=True)
    if (now_there.attempt, now_there.attempted_at) != (before.attempt, before.attempted_at):
        return now_there
    state: State = "pending" if now_there.state == "creating" else now_there.state
    return tickets.change(session, now_there, state=state, attempt=None, attempted_at=None, problem=problem)


def opened(session: Session, fingerprint: str, key: str, now: datetime, *, told_band: int | None) -> Ticket:
    """Note the issue's key and, in the same transaction, enqueue what tells people of it.

    `told_band` is the band that the issue tells of, None when it tells of none yet.
    It depends on no revision: what Jira has made must never be forgotten.
    """
    before = tickets.load(session, fingerprint, lock=True)
    if before.key is not None:
        return before
    state: State = "muted" if before.state == "muted" else "open"
    told = {"said_band": told_band, "said_at": None if told_band is None else now}
    after = tickets.change(
        session, before, state=state, jira_key=key, attempt=None, attempted_at=None, problem=None, **told
    )
    enqueue(session, "announce_ticket", key=f"announce_ticket/{fingerprint}/{key}", fingerprint=fingerprint)
    return after


def said(session: Session, fingerprint: str, now: datetime, *, mark: str) -> Ticket:
    """Note that the issue was told what `mark` names: a band, or that it has healed."""
    before = tickets.load(session, fingerprint, lock=True)
    told: dict[str, object] = {"said_band": band_told(mark, before.band), "said_at": now}
    if is_heal_mark(mark):
        told = {"told_healed": before.healed_at is not None and mark == heal_mark(before.healed_at)}
    return tickets.change(session, before, attempt=None, attempted_at=None, problem=None, **told)


def closed(session: Session, fingerprint: str, now: datetime, *, resolution: str | None) -> Ticket:
    """Note that the issue is closed: what is bad now is bad again only if it heals first, or gets worse."""
    before = tickets.load(session, fingerprint, lock=True)
    if before.state == "done":
        return before
    return tickets.change(
        session, before, state="done", resolved_at=now, resolution=resolution, muted_until=None, again=False
    )


def refused_for_good(session: Session, fingerprint: str, now: datetime, *, resolution: str | None) -> Ticket:
    """Note that people will not do it: the fingerprint rests until the issue is opened again."""
    before = tickets.load(session, fingerprint, lock=True)
    if before.state == "muted" and before.resolution is not None:
        return before
    why = resolution or "refused"
    return tickets.change(
        session, before, state="muted", muted_until=None, resolved_at=now, resolution=why[:64], again=False
    )  # fmt: skip


def reopened(session: Session, fingerprint: str, *, by_us: bool) -> Ticket:
    """Note that the issue is open again; opened by us, it hears why."""
    before = tickets.load(session, fingerprint, lock=True)
    if before.state == "open":
        return before
    values: dict[str, object] = {"said_band": None} if by_us else {}
    if before.healed_at is not None:
        values |= {"healed_at": None, "told_healed": False}
    return tickets.change(
        session, before, state="open", muted_until=None, resolved_at=None, resolution=None, again=False, **values
    )  # fmt: skip


def gone(session: Session, fingerprint: str, now: datetime) -> Ticket:
    """Note that somebody deleted the issue: that counts as closed, but it is bad again if the issue knew too little."""
    before = tickets.load(session, fingerprint, lock=True)
    again = before.healed_at is None and before.band > (before.said_band or 0) and before.linked
    return tickets.change(
        session, before, state="done", resolved_at=now, resolution="deleted", attempt=None, attempted_at=None,
        again=again,
    )  # fmt: skip


def renew(session: Session, fingerprint: str, *, relates_to: str | None) -> Ticket:
    """Let go of the issue: the next one is another generation, which no look-up mistakes for this one."""
    before = tickets.load(session, fingerprint, lock=True)
    return tickets.change(
        session, before, state="pending", jira_key=None, linked=False, said_band=None, said_at=None, attempt=None,
        attempted_at=None, attempt_after=None, announced=False, resolved_at=None, resolution=None, again=False,
        generation=before.generation + 1, relates_to=relates_to, related=False,
    )  # fmt: skip
