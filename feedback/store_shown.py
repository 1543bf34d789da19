"""What reports have told, group by group, so that the next one gives nobody away."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import segments
from core.db import insert
from feedback.gate import Group
from feedback.tables import SHOWN

# What was told of earlier than so long before the period asked about is not looked at, nor more than so many groups.
LOOKED_BACK: Final = timedelta(weeks=5)
MOST_GROUPS: Final = 1_000
SHOWN_LOCK: Final = 0x6D757376


def told_groups(session: Session, *, app: str, poll: str, since: datetime) -> tuple[Group, ...]:
    """Return what was told of a poll, the latest first, for a report that begins at `since`."""
    row = SHOWN.c
    wanted = (row.app == app, row.poll == poll, row.until > since - LOOKED_BACK)
    columns = (row.since, row.until, row.segment, row.attribute, row.value)
    found = session.execute(
        sa.select(*columns).where(*wanted).order_by(row.told_at.desc(), row.id).limit(MOST_GROUPS)
    )  # fmt: skip
    return tuple(
        Group(since=begin, until=end, where=segments.parse(where), attribute=attribute, value=value)
        for begin, end, where, attribute, value in found
    )


def remember(session: Session, groups: Iterable[Group], *, app: str, poll: str, now: datetime) -> None:
    """Note what is about to be told; the same group once."""
    rows = [
        {
            "id": _id(app, poll, group), "app": app, "poll": poll, "since": group.since, "until": group.until,
            "segment": segments.text(group.where), "attribute": group.attribute, "value": group.value, "told_at": now,
        }
        for group in groups
    ]  # fmt: skip
    if rows:
        statement = insert(session, SHOWN).on_conflict_do_nothing()
        session.execute(statement, sorted(rows, key=lambda row: str(row["id"])))


def lock_shown(session: Session) -> None:
    """Let one at a time look at what was told and add to it; on SQLite whoever writes is alone already."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(SHOWN_LOCK)))


def forget_shown(session: Session, *, before: datetime) -> int:
    """Forget what was told of periods whose answers are gone; return the number of groups."""
    return int(session.execute(sa.delete(SHOWN).where(SHOWN.c.until < before)).rowcount)  # type: ignore[attr-defined]


def _id(app: str, poll: str, group: Group) -> str:
    facts = (
        app, poll, group.since.isoformat(), group.until.isoformat(), segments.text(group.where),
        group.attribute or "", "\0" if group.value is None else group.value,
    )  # fmt: skip
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()[:32]
