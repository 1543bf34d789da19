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

from bot.ticket_rules import (
    RegressionFacts,
    State,
    Ticket,
    band,
    is_bad_again,
)  # fmt: skip
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
    healed_at: Mapped[datetime | None]
    told_healed: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None] = mapped_column(sa.String(64))
    again: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    generation: Mapped[int] = mapped_column(sa.Integer, server_default="1")
    relates_to: Mapped[str | None] = mapped_column(sa.String(64))
    related: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())


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
    again = before.again or is_bad_again(before, level)
    values = {
        "facts": msgspec.to_builtins(regression),
        "band": level,
        "release_id": regression.release_id,
        "state": _unmuted(before) if is_over else before.state,
        "again": again,
        "healed_at": None,
        "told_healed": False,
        # Having heard that it healed, the issue has to hear that it is bad again, whatever the band.
        "said_band": None if before.told_healed else before.said_band,
    }
    after = change(session, before, **values)
    if is_over or after.band != before.band or before.told_healed or again != before.again:
        wake(session, after, why=f"revision {after.revision}")
    return after


def healed(session: Session, fingerprint: str, now: datetime) -> None:
    """Note that the regression is not there any more; its issue hears of it once that has lasted.

    Nothing happens where there is no ticket, or it was noted already.
    """
    row = session.get(TicketRow, fingerprint, populate_existing=True, with_for_update=True)
    if row is None or row.healed_at is not None:
        return
    after = change(session, _ticket(row), healed_at=now, told_healed=False, again=False)
    wake(session, after, why=f"revision {after.revision}")


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


def with_key(session: Session, key: str) -> Ticket | None:
    row = session.scalars(sa.select(TicketRow).where(TicketRow.jira_key == key)).one_or_none()
    return None if row is None else _ticket(row)


def to_look_at(session: Session, *, since: datetime, limit: int = 50) -> tuple[str, ...]:
    """Return the keys of issues that people may have closed or opened, for when no webhook tells us."""
    query = sa.select(TicketRow.jira_key).where(TicketRow.jira_key.is_not(None), TicketRow.wanted_at >= since)
    return tuple(key for key in session.scalars(query.order_by(TicketRow.wanted_at.desc()).limit(limit)) if key)


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
        healed_at=row.healed_at,
        told_healed=row.told_healed,
        resolved_at=row.resolved_at,
        resolution=row.resolution,
        again=row.again,
        generation=row.generation,
        relates_to=row.relates_to,
        related=row.related,
    )
