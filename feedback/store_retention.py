"""Retention: what is due is found while reading, and deleted in short transactions, so that no phone waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from core.db import reading
from feedback.diaries import Place, begin_of
from feedback.sheets import month_of
from feedback.store_contexts import forget_contexts
from feedback.store_diaries import forget_hours
from feedback.store_sheets import change, entries, lock_sheets
from feedback.tables import ANSWERS, DAYS, DIARIES, INBOX, INFERENCES, INSTALLS, POLL_EVENTS

ROWS: Final = 1_000

Due = tuple[sa.Table, Any]


def forget(
    sessions: sessionmaker[Session],
    *,
    now: datetime,
    retention_days: int,
    retention_by_poll: Mapping[str, int] | None = None,
    rows: int = ROWS,
) -> int:
    """Delete what is older than the retention (a poll's own, if shorter), `rows` a transaction; return how many.

    Last go the device facts that nothing points to any more, also those of whoever was erased. Cut off half-way, the
    rest is forgotten the next time.
    """
    limit = now - timedelta(days=retention_days)
    due = _due(now, limit, retention_by_poll or {})
    gone = sum(_forget(sessions, table, is_due, rows) for table, is_due in due)
    return gone + _forget_hours(sessions, limit, rows) + forget_contexts(sessions, rows=rows)


def _due(now: datetime, limit: datetime, retention_by_poll: Mapping[str, int]) -> Iterator[Due]:
    yield ANSWERS, ANSWERS.c.at < limit
    yield POLL_EVENTS, POLL_EVENTS.c.at < limit
    yield INFERENCES, INFERENCES.c.window_start < limit
    yield DAYS, DAYS.c.day < limit.date()
    yield DIARIES, DIARIES.c.month < month_of(limit)
    yield INSTALLS, INSTALLS.c.last_seen < limit
    yield INBOX, INBOX.c.refused_at < limit
    for poll, days in sorted(retention_by_poll.items()):
        earlier = max(limit, now - timedelta(days=days))
        for table in (ANSWERS, POLL_EVENTS):
            yield table, sa.and_(table.c.poll == poll, table.c.at < earlier)


def _forget(sessions: sessionmaker[Session], table: sa.Table, is_due: Any, rows: int) -> int:
    gone, key = 0, list(table.primary_key.columns)
    with reading(sessions) as session:
        found = session.execute(sa.select(*key).where(is_due), execution_options={"yield_per": rows})
        for part in found.partitions():
            with sessions.begin() as deleting:
                gone += _delete(deleting, table, sa.and_(_chosen(key, part), is_due))
    return gone


def _forget_hours(sessions: sessionmaker[Session], limit: datetime, rows: int) -> int:
    """Take what is due out of the diaries of the month in which the retention ends."""
    month, gone = month_of(limit), 0
    hour = -((begin_of(month) - limit) // timedelta(hours=1))  # one that has begun is due
    keys = sa.select(*DIARIES.primary_key.columns).where(DIARIES.c.month == month)
    with reading(sessions) as session:
        for part in session.execute(keys, execution_options={"yield_per": rows}).partitions():
            with sessions.begin() as changing:
                lock_sheets(changing)
                gone += forget_hours(changing, [Place(*row) for row in part], hour)
    return gone


def _chosen(key: Sequence[sa.Column[Any]], rows: Sequence[sa.Row[Any]]) -> Any:
    """Return what is true of these rows alone. SQLite finds them by the key because they come out of a query; among
    plain values it would compare each row of the table."""
    columns = [sa.column(column.name, column.type) for column in key]
    values = sa.values(*columns, name="chosen").data([tuple(row) for row in rows]).cte(nesting=True)
    return sa.tuple_(*key).in_(sa.select(values))


def _delete(session: Session, table: sa.Table, is_due: Any) -> int:
    statement = sa.delete(table).where(is_due)
    if table not in (ANSWERS, POLL_EVENTS):
        result: Any = session.execute(statement)
        return int(result.rowcount)
    lock_sheets(session)
    gone = session.execute(statement.returning(table)).mappings().all()
    change(session, removed=entries(table, gone))
    return len(gone)
