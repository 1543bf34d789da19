"""The tickets: one row per fingerprint, written before Jira hears of it.

`want` belongs into the transaction of the decision (a rollback, a person's word); the job `open_ticket`
does the rest. Every change of a row moves its revision, so of two workers only one makes an attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from bot.ticket_rules import RegressionFacts, State, Ticket, band, create_mark
from core.db import Control, insert
from core.engine import enqueue
from core.errors import ConflictError, NotFoundError


class TicketRow(Control):
    __tablename__ = "tickets"

    fingerprint: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    app: Mapped[str] = mapped_column(sa.String(64))
    model: Mapped[str] = mapped_column(sa.String(128), index=True)
    release_id: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    band: Mapped[int] = mapped_column(sa.Integer)
    said_band: Mapped[int | None] = mapped_column(sa.Integer)
    said_at: Mapped[datetime | None]
    jira_key: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    linked: Mapped[bool] = mapped_column(sa.Boolean)
    attempt: Mapped[str | None] = mapped_column(sa.String(64))
    attempted_at: Mapped[datetime | None]
    attempt_after: Mapped[int | None] = mapped_column(sa.Integer)
    muted_until: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(sa.Text)
    channel: Mapped[str | None] = mapped_column(sa.String(64))
    thread: Mapped[str | None] = mapped_column(sa.String(64))
    announced: Mapped[bool] = mapped_column(sa.Boolean)
    revision: Mapped[int] = mapped_column(sa.Integer)
    wanted_at: Mapped[datetime]


def want(
    session: Session,
    regression: RegressionFacts,
    *,
    now: datetime,
    channel: str | None = None,
    thread: str | None = None,
) -> Ticket:
    """Write down that this regression needs a ticket and enqueue the job that opens it; wanting twice changes nothing.

    Known already: the newer facts are kept, and the job runs again when they fall into another band.
    `channel` and `thread` are where the ticket will be announced.
    """
    level = band(regression)
    values = {
        "fingerprint": regression.fingerprint,
        "app": regression.app,
        "model": regression.model,
        "release_id": regression.release_id,
        "state": "pending",
        "facts": msgspec.to_builtins(regression),
        "band": level,
        "linked": False,
        "channel": channel,
        "thread": thread,
        "announced": False,
        "revision": 1,
        "wanted_at": now,
    }
    query = insert(session, TicketRow).values(**values).on_conflict_do_nothing(index_elements=["fingerprint"])
    is_new = session.execute(query.returning(TicketRow.fingerprint)).first() is not None
    if is_new:
        enqueue(session, "open_ticket", key=f"ticket/{regression.fingerprint}", fingerprint=regression.fingerprint)
        return load(session, regression.fingerprint)
    return _want_again(session, regression, level, now)


def _want_again(session: Session, regression: RegressionFacts, level: int, now: datetime) -> Ticket:
    before = load(session, regression.fingerprint, lock=True)
    is_over = before.state == "muted" and before.muted_until is not None and before.muted_until <= now
    state = _unmuted(before) if is_over else before.state
    facts = msgspec.to_builtins(regression)
    after = change(session, before, facts=facts, band=level, release_id=regression.release_id, state=state)
    if is_over or after.band != before.band:
        wake(session, after, why=f"revision {after.revision}")
    return after


def wake(session: Session, ticket: Ticket, *, why: str) -> None:
    """Let the job run again; the same `why` only once."""
    enqueue(session, "open_ticket", key=f"ticket/{ticket.fingerprint}/{why}", fingerprint=ticket.fingerprint)


def wake_stuck(session: Session, now: datetime) -> int:
    """Once a day, try again the tickets that Jira refused or nobody could open; return how many.

    Somebody may have mended the token, the project or the settings since.
    """
    query = sa.select(TicketRow).where(TicketRow.problem.is_not(None), TicketRow.state.in_(("pending", "creating")))
    rows = session.scalars(query).all()
    for row in rows:
        wake(session, _ticket(row), why=f"{now:%Y-%m-%d}")
    return len(rows)


def load(session: Session, fingerprint: str, *, lock: bool = False) -> Ticket:
    """Return the ticket; with `lock` nobody else can change it before this transaction ends.

    Raises: NotFoundError: no such ticket.
    """
    row = session.get(TicketRow, fingerprint, populate_existing=True, with_for_update=lock or None)
    if row is None:
        raise NotFoundError(f"There is no ticket with the fingerprint {fingerprint}.")
    return _ticket(row)


def find(session: Session, ref: str) -> Ticket | None:
    """Find a ticket by its fingerprint, the first four or more characters of it, or its Jira key."""
    exact = sa.or_(TicketRow.fingerprint == ref.lower(), TicketRow.jira_key == ref.upper())
    row = session.scalars(sa.select(TicketRow).where(exact)).first()
    if row is None and len(ref) >= 4:
        query = sa.select(TicketRow).where(TicketRow.fingerprint.startswith(ref.lower(), autoescape=True)).limit(2)
        rows = session.scalars(query).all()
        row = rows[0] if len(rows) == 1 else None
    return None if row is None else _ticket(row)


def of_release(session: Session, release_id: str) -> tuple[Ticket, ...]:
    query = sa.select(TicketRow).where(TicketRow.release_id == release_id)
    return _tickets(session.scalars(query.order_by(TicketRow.wanted_at)).all())


def recent(
    session: Session, *, app: str | None = None, model: str | None = None, limit: int = 20
) -> tuple[Ticket, ...]:
    """Return the newest tickets first."""
    query = sa.select(TicketRow).order_by(TicketRow.wanted_at.desc(), TicketRow.fingerprint).limit(limit)
    if app is not None:
        query = query.where(TicketRow.app == app)
    if model is not None:
        query = query.where(TicketRow.model == model)
    return _tickets(session.scalars(query).all())


def between(session: Session, *, app: str, since: datetime, until: datetime) -> tuple[Ticket, ...]:
    """Return the tickets wanted in a period, for the digest."""
    query = sa.select(TicketRow).where(TicketRow.app == app, TicketRow.wanted_at >= since, TicketRow.wanted_at < until)
    return _tickets(session.scalars(query.order_by(TicketRow.wanted_at)).all())


def change(session: Session, before: Ticket, **values: object) -> Ticket:
    """Write `values` if nobody changed the ticket since `before` was read.

    Raises: ConflictError: somebody did.
    """
    query = (
        sa.update(TicketRow)
        .where(TicketRow.fingerprint == before.fingerprint, TicketRow.revision == before.revision)
        .values(revision=before.revision + 1, **values)
        .returning(TicketRow.fingerprint)
    )
    if session.execute(query).first() is None:
        raise ConflictError(f"The ticket {before.fingerprint} changed meanwhile.")
    return load(session, before.fingerprint)


def claim_create(session: Session, before: Ticket, *, after: int, wall: datetime) -> Ticket:
    """Write down that the issue is about to be posted; only who gets this far may post it.

    Raises: ConflictError: somebody else did.
    """
    return change(
        session, before, state="creating", attempt=create_mark(before), attempted_at=wall, attempt_after=after
    )


def claim_comment(session: Session, before: Ticket, mark: str, *, wall: datetime) -> Ticket:
    return change(session, before, attempt=mark, attempted_at=wall)


def refused(session: Session, before: Ticket, problem: str | None = None) -> Ticket:
    """Jira certainly did not do it: that attempt is not in flight any more."""
    now_there = load(session, before.fingerprint, lock=True)
    if (now_there.attempt, now_there.attempted_at) != (before.attempt, before.attempted_at):
        return now_there
    state: State = "pending" if now_there.state == "creating" else now_there.state
    return change(session, now_there, state=state, attempt=None, attempted_at=None, problem=problem)


def opened(session: Session, fingerprint: str, key: str, now: datetime, *, told_band: int | None) -> Ticket:
    """Note the issue's key and, in the same transaction, enqueue what tells people of it.

    `told_band` is the band that the issue tells of, None when it tells of none yet.
    It depends on no revision: what Jira has made must never be forgotten.
    """
    before = load(session, fingerprint, lock=True)
    if before.key is not None:
        return before
    state: State = "muted" if before.state == "muted" else "open"
    told = {"said_band": told_band, "said_at": None if told_band is None else now}
    after = change(session, before, state=state, jira_key=key, attempt=None, attempted_at=None, problem=None, **told)
    enqueue(session, "announce_ticket", key=f"announce_ticket/{fingerprint}", fingerprint=fingerprint)
    return after


def said(session: Session, fingerprint: str, now: datetime, *, told_band: int) -> Ticket:
    """Note that the issue was told of the band."""
    before = load(session, fingerprint, lock=True)
    told = {"said_band": told_band, "said_at": now}
    return change(session, before, attempt=None, attempted_at=None, problem=None, **told)


def noted(session: Session, fingerprint: str, **values: object) -> Ticket:
    """Write down a fact about the ticket that holds whatever else happened to it (`linked`, `announced`, `problem`)."""
    return change(session, load(session, fingerprint, lock=True), **values)


def mute(session: Session, before: Ticket, *, until: datetime | None) -> Ticket:
    """Let this fingerprint rest until then, or for good."""
    return change(session, before, state="muted", muted_until=until)


def unmute(session: Session, before: Ticket) -> Ticket:
    return change(session, before, state=_unmuted(before), muted_until=None)


def _unmuted(ticket: Ticket) -> State:
    if ticket.key is not None:
        return "open"
    return "pending" if ticket.attempted_at is None else "creating"


def later(session: Session, ticket: Ticket, at: datetime, now: datetime) -> None:
    """Let the job run again at `at`."""
    after = max(at - now, timedelta(seconds=1))
    key = f"ticket/{ticket.fingerprint}/{at:%Y-%m-%dT%H:%M:%S}"
    enqueue(session, "open_ticket", key=key, after=after, fingerprint=ticket.fingerprint)


def _tickets(rows: Sequence[TicketRow]) -> tuple[Ticket, ...]:
    return tuple(_ticket(row) for row in rows)


def _ticket(row: TicketRow) -> Ticket:
    return Ticket(
        regression=msgspec.convert(row.facts, type=RegressionFacts),
        state=msgspec.convert(row.state, type=State),
        band=row.band,
        revision=row.revision,
        wanted_at=row.wanted_at,
        key=row.jira_key,
        linked=row.linked,
        said_band=row.said_band,
        said_at=row.said_at,
        attempt=row.attempt,
        attempted_at=row.attempted_at,
        attempt_after=row.attempt_after,
        muted_until=row.muted_until,
        problem=row.problem,
        channel=row.channel,
        thread=row.thread,
        announced=row.announced,
    )
