"""Jobs in the database: order once, start, tell how far, end, cancel. Session first; nothing here commits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import NotFoundError
from optimize.tables import JobRow

State = Literal["queued", "running", "done", "failed", "cancelled"]
Kind = Literal["optimize", "compare"]
ENDED: Final = frozenset({"done", "failed", "cancelled"})
LISTED: Final = 20
_REF: Final = re.compile(r"[jJ](\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is ordered. See JobRow for the fields."""

    app: str
    kind: Kind
    model: str
    version: str
    variant: str
    parent: str
    recipe: str
    budget: str
    most_cpu_s: float
    asked_by: str
    other: str | None = None
    other_version: str | None = None
    evaluation: str | None = None
    calibration: str | None = None
    script: str | None = None
    runtime: str | None = None
    delivery: str | None = None
    channel: str | None = None
    thread: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An order and how far it is. `progress` and `result` are what optimize.reporting wrote."""

    number: int
    wanted: Wanted
    state: State
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cancelled_by: str | None
    progress: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    registered_as: str | None

    @property
    def name(self) -> str:
        return f"J{self.number}"

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def source(self) -> str:
        return f"{self.wanted.model}@{self.wanted.version}"


def create(session: Session, wanted: Wanted, *, now: datetime) -> tuple[Job, bool]:
    """Write the order down; return it and whether it is new. The same delivery orders once."""
    if wanted.delivery is not None:
        known = session.scalar(sa.select(JobRow).where(JobRow.delivery == wanted.delivery))
        if known is not None:
            return _job(known), False
    number = (session.scalar(sa.select(sa.func.max(JobRow.number))) or 0) + 1
    row = JobRow(
        number=number, state="queued", created_at=now, started_at=None, ended_at=None, cancelled_by=None,
        progress=None, result=None, registered_as=None, **asdict(wanted),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _job(row), True


def load(session: Session, ref: str, *, app: str) -> Job:
    """Raises: NotFoundError."""
    found = _REF.fullmatch(ref)
    row = session.get(JobRow, int(found[1]), populate_existing=True) if found else None
    if row is None or row.app != app:
        raise NotFoundError(f"There is no job {ref[:20]}; `job list` shows them.")
    return _job(row)


def newest(session: Session, *, app: str, model: str | None = None, limit: int = LISTED) -> tuple[Job, ...]:
    """Return the newest jobs first."""
    query = sa.select(JobRow).where(JobRow.app == app).order_by(JobRow.number.desc()).limit(limit)
    if model is not None:
        query = query.where(JobRow.model == model)
    return tuple(_job(row) for row in session.scalars(query))


def comparison(session: Session, *, app: str, parent: str, other: str, evaluation: str | None) -> Job | None:
    """Return the newest comparison of two files on the same inputs that did not fail, None when there is none."""
    query = (
        sa.select(JobRow)
        .where(JobRow.app == app, JobRow.kind == "compare", JobRow.parent == parent, JobRow.other == other)
        .where(JobRow.evaluation == evaluation, JobRow.state.in_(("queued", "running", "done")))
        .order_by(JobRow.number.desc())
        .limit(1)
    )
    row = session.scalar(query)
    return None if row is None else _job(row)


def start(session: Session, number: int, *, now: datetime) -> bool:
    """Mark it as running; False when it has ended (a cancelled one). One that ran before goes on."""
    started = sa.func.coalesce(JobRow.started_at, now)
    return _change(session, number, ("queued", "running"), state="running", started_at=started)


def save_progress(session: Session, number: int, progress: Mapping[str, Any]) -> bool:
    return _change(session, number, ("running",), progress=dict(progress))


def end(session: Session, number: int, state: State, result: Mapping[str, Any], *, now: datetime) -> bool:
    """Write the result; False when it had ended before."""
    return _change(session, number, ("queued", "running"), state=state, result=dict(result), ended_at=now)


def cancel(session: Session, number: int, *, by: str, now: datetime) -> bool:
    """One that waits ends at once, one that runs is told to; False when it has ended or was told before."""
    waiting: dict[str, Any] = {"state": "cancelled", "ended_at": now, "cancelled_by": by}
    waiting["result"] = {"sentence": "cancelled before it began"}
    if _change(session, number, ("queued",), **waiting):
        return True
    fresh = sa.update(JobRow).where(JobRow.number == number, JobRow.state == "running", JobRow.cancelled_by.is_(None))
    return session.execute(fresh.values(cancelled_by=by).returning(JobRow.number)).first() is not None


def is_cancelled(session: Session, number: int) -> bool:
    """Whether it was told to end, or has."""
    row = session.execute(sa.select(JobRow.cancelled_by, JobRow.state).where(JobRow.number == number)).one_or_none()
    return row is None or row.cancelled_by is not None or row.state in ENDED


def note_registered(session: Session, number: int, name: str) -> None:
    session.execute(sa.update(JobRow).where(JobRow.number == number).values(registered_as=name))


def _change(session: Session, number: int, states: tuple[str, ...], **values: Any) -> bool:
    change = sa.update(JobRow).where(JobRow.number == number, JobRow.state.in_(states)).values(**values)
    options = {"synchronize_session": False}
    return session.execute(change.returning(JobRow.number), execution_options=options).first() is not None


def _job(row: JobRow) -> Job:
    wanted = {name: getattr(row, name) for name in Wanted.__dataclass_fields__}
    return Job(
        number=row.number, wanted=Wanted(**wanted), state=row.state, created_at=row.created_at,  # type: ignore[arg-type]
        started_at=row.started_at, ended_at=row.ended_at, cancelled_by=row.cancelled_by, progress=row.progress,
        result=row.result, registered_as=row.registered_as,
    )  # fmt: skip
