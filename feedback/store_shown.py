"""What reports have told, group by group, so that the next one gives nobody away; and who answered, for the gate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import segments
from core.db import insert
from core.device import DeviceContext
from feedback.gate import Answered, Group
from feedback.responses import CONTEXT_FIELDS
from feedback.tables import ANSWERS, CONTEXTS, SHOWN

# What was told longer before the earliest moment asked about is not looked at, nor more than so many groups.
LOOKED_BACK: Final = timedelta(weeks=5)
MOST_GROUPS: Final = 1_000
SHOWN_LOCK: Final = 0x6D757376


def told_groups(session: Session, *, app: str, poll: str, since: datetime) -> tuple[Group, ...]:
    """Return what was told of a poll, the latest first, for a report that begins at `since`."""
    row = SHOWN.c
    wanted = (row.app == app, row.poll == poll, row.since >= since - LOOKED_BACK)
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


def who_answered(
    session: Session,
    *,
    app: str,
    model: str,
    poll: str,
    since: datetime,
    until: datetime,
    question: str | None = None,
) -> tuple[list[Answered], dict[str, DeviceContext]]:
    """Return the answers to primary questions (or to one) in [since, until), and the devices of their contexts."""
    row = ANSWERS.c
    wanted = (row.app == app, row.model == model, row.poll == poll, row.at >= since, row.at < until)
    is_counted = (row.is_primary if question is None else row.question == question, row.value.is_not(None))
    answers: list[Answered] = [
        (context, at, install)
        for context, at, install in session.execute(
            sa.select(row.context, row.at, row.install).where(*wanted, *is_counted)
        )
    ]
    seen = sa.select(row.context).where(*wanted, *is_counted)
    facts = session.execute(
        sa.select(CONTEXTS.c.id, *(CONTEXTS.c[field] for field in CONTEXT_FIELDS)).where(CONTEXTS.c.id.in_(seen))
    )
    devices = {key: DeviceContext(**dict(zip(CONTEXT_FIELDS, told, strict=True))) for key, *told in facts}
    return answers, devices


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
