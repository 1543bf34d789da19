"""Counters in the database that grow by one inside the caller's transaction."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import insert
from releases.tables import ReleaseCounterRow

Name = Literal["number", "catalog", "freeze", "throttle"]


def bump(session: Session, name: Name) -> int:
    """Count on and return the new value; two transactions never get the same."""
    session.flush()
    statement = insert(session, ReleaseCounterRow).values(name=name, value=1)
    statement = statement.on_conflict_do_update(
        index_elements=["name"], set_={"value": ReleaseCounterRow.value + 1}
    ).returning(ReleaseCounterRow.value)
    return int(session.execute(statement).scalar_one())


def current(session: Session, name: Name) -> int:
    """Return the value, 0 when nothing was ever counted."""
    return session.scalar(sa.select(ReleaseCounterRow.value).where(ReleaseCounterRow.name == name)) or 0
