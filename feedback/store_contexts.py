"""Device facts are forgotten with the last row that points to them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from core.db import reading
from feedback.store_sheets import lock_sheets
from feedback.tables import ANSWERS, CONTEXTS, DAYS, INFERENCES, INSTALLS, POLL_EVENTS, SHEETS

# Whatever else points to a context is written in the transaction of one of the first two.
_FIRST: Final = (POLL_EVENTS, INFERENCES)
_POINTING: Final = (*_FIRST, ANSWERS, INSTALLS, SHEETS, DAYS)


def forget_contexts(sessions: sessionmaker[Session], *, rows: int) -> int:
    """Delete what nothing points to, `rows` a transaction; return how many. It is looked for while phones write."""
    with reading(sessions) as session:
        is_later = {table: _later(session, table) for table in _FIRST}
        unused = set(session.scalars(sa.select(CONTEXTS.c.id)))
        for table in _POINTING:
            unused.difference_update(session.scalars(sa.select(table.c.context).distinct()))
    found, gone = sorted(unused), 0
    for start in range(0, len(found), rows):
        part = found[start : start + rows]
        with sessions.begin() as deleting:
            lock_sheets(deleting)
            came = [
                deleting.scalars(sa.select(table.c.context).where(later, table.c.context.in_(part)).distinct())
                for table, later in is_later.items()
            ]
            left = set(part).difference(*came)
            deleting.execute(sa.delete(CONTEXTS).where(CONTEXTS.c.id.in_(left)))
            gone += len(left)
    return gone


def _later(session: Session, table: sa.Table) -> sa.ColumnElement[bool]:
    """Return what is true of rows that came after now; PostgreSQL, whose rows have no numbers, looks at all again."""
    if session.get_bind().dialect.name != "sqlite":
        return sa.true()
    number: sa.ColumnElement[int] = sa.literal_column(f"{table.name}.rowid", sa.Integer)
    return number > (session.scalar(sa.select(sa.func.max(number)).select_from(table)) or 0)
