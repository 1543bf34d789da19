"""Who owns a model: the assignee and component that its tickets get. Table and store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control, insert


class ModelOwnerRow(Control):
    __tablename__ = "model_owners"

    app: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    model: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    assignee: Mapped[str | None] = mapped_column(sa.String(128))
    assignee_name: Mapped[str | None] = mapped_column(sa.String(255))
    component: Mapped[str | None] = mapped_column(sa.String(255))
    set_by: Mapped[str] = mapped_column(sa.String(64))
    set_at: Mapped[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """`assignee` is Jira's own id of an account, `assignee_name` how people read it."""

    assignee: str | None
    assignee_name: str | None
    component: str | None


def put(session: Session, app: str, model: str, owner: Owner, *, by: str, now: datetime) -> None:
    values = {
        "assignee": owner.assignee, "assignee_name": owner.assignee_name, "component": owner.component,
        "set_by": by, "set_at": now,
    }  # fmt: skip
    new = insert(session, ModelOwnerRow).values(app=app, model=model, **values)
    session.execute(new.on_conflict_do_update(index_elements=["app", "model"], set_=values))


def find(session: Session, app: str, model: str) -> Owner | None:
    row = session.get(ModelOwnerRow, (app, model), populate_existing=True)
    if row is None:
        return None
    return Owner(assignee=row.assignee, assignee_name=row.assignee_name, component=row.component)
