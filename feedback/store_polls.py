"""Polls among the decisions of people: every version is kept, because phones answer the one they had."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import ConflictError, NotFoundError
from core.segments import suggestion
from feedback import polls
from feedback.poll_tables import PollRow, PollVersionRow
from feedback.polls import Poll


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPoll:
    """A poll with what only the house knows of it; `ref` is what people type."""

    ref: str
    app: str
    model: str
    poll: Poll
    created_by: str
    created_at: datetime
    updated_at: datetime


def save_poll(session: Session, poll: Poll, *, app: str, model: str, by: str, now: datetime) -> StoredPoll:
    """Write a poll, or its next version if its id is known; saving the same again changes nothing.

    Raises: ConflictError: the id is taken by a poll of another app or model.
    """
    row = session.get(PollRow, poll.id, with_for_update=True)
    if row is None:
        row = PollRow(id=poll.id, number=_next_number(session), app=app, model=model, created_by=by, created_at=now)
        _write(row, poll, now)
        session.add(row)
        session.flush()
    elif (row.app, row.model) != (app, model):
        raise ConflictError(f"The id {poll.id} is taken by P{row.number}, a poll about {row.model}; choose another.")
    else:
        before = polls.from_json(row.definition)
        poll = polls.revise(before, poll)
        if poll == before:
            return _stored(row)
        _write(row, poll, now)
    definition = polls.to_json(poll)
    session.merge(PollVersionRow(poll=poll.id, version=poll.version, definition=definition, made_by=by, made_at=now))
    session.flush()
    return _stored(row)


def set_poll_status(
    session: Session, ref: str, status: Literal["running", "stopped"], *, now: datetime, app: str | None = None
) -> StoredPoll:
    """Start or stop a poll. Raises: NotFoundError; ConflictError: it is in that state or cannot get there."""
    row = _row(session, ref, app, lock=True)
    poll = polls.from_json(row.definition)
    _write(row, polls.start(poll, now) if status == "running" else polls.stop(poll, now), now)
    session.flush()
    return _stored(row)


def find_poll(session: Session, ref: str, *, app: str | None = None) -> StoredPoll:
    """Return the poll called `P3` or by its id. Raises: NotFoundError: there is none; names the nearest."""
    return _stored(_row(session, ref, app))


def known_poll(session: Session, poll_id: str, *, app: str) -> StoredPoll | None:
    """Return the poll with this id, None if the app has none."""
    row = session.get(PollRow, poll_id)
    return None if row is None or row.app != app else _stored(row)


def list_polls(session: Session, app: str, *, model: str | None = None) -> tuple[StoredPoll, ...]:
    """Return all polls of an app, the newest first."""
    wanted = [PollRow.app == app] + ([PollRow.model == model] if model else [])
    return tuple(
        _stored(row) for row in session.scalars(sa.select(PollRow).where(*wanted).order_by(PollRow.number.desc()))
    )


def retention_by_poll(session: Session) -> dict[str, int]:
    """Return the retention in days of each poll, of whatever app, that has one of its own."""
    found = session.execute(sa.select(PollRow.id, PollRow.definition))
    return {poll: node["retention_days"] for poll, node in found if isinstance(node.get("retention_days"), int)}


def running_polls(session: Session, app: str, now: datetime) -> tuple[StoredPoll, ...]:
    """Return the polls that phones may show now, by number."""
    wanted = (PollRow.app == app, PollRow.status == "running")
    rows = session.scalars(sa.select(PollRow).where(*wanted).order_by(PollRow.number))
    return tuple(stored for stored in map(_stored, rows) if polls.is_open(stored.poll, now))


def poll_versions(session: Session) -> dict[tuple[str, str, int], StoredPoll]:
    """Return every version of every poll that was ever started, by app, id and version."""
    statement = sa.select(PollRow, PollVersionRow).join(PollVersionRow, PollVersionRow.poll == PollRow.id)
    found = session.execute(statement.where(PollRow.status != "draft"))
    return {(row.app, row.id, version.version): _stored(row, version.definition) for row, version in found}


def _row(session: Session, ref: str, app: str | None, *, lock: bool = False) -> PollRow:
    number = re.fullmatch(r"[Pp](\d{1,9})", ref.strip())
    is_it = PollRow.number == int(number[1]) if number else PollRow.id == ref.strip()
    wanted = [is_it] + ([PollRow.app == app] if app else [])
    query = sa.select(PollRow).where(*wanted)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        known = session.scalars(sa.select(PollRow.id).where(*wanted[1:]))
        raise NotFoundError(f"There is no poll {ref}{suggestion(ref, list(known)) or '.'}")
    return row


def _next_number(session: Session) -> int:
    return (session.scalar(sa.select(sa.func.max(PollRow.number))) or 0) + 1


def _write(row: PollRow, poll: Poll, now: datetime) -> None:
    row.name, row.version, row.status = poll.name, poll.version, poll.status
    row.definition, row.updated_at = polls.to_json(poll), now


def _stored(row: PollRow, definition: dict[str, object] | None = None) -> StoredPoll:
    return StoredPoll(
        ref=f"P{row.number}",
        app=row.app,
        model=row.model,
        poll=polls.from_json(definition or row.definition),
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
