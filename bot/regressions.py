"""The regressions that were found, one row a fingerprint, and how often each release was looked at: tables and store.

A regression keeps its fingerprint while its numbers move: the cohorts told before are handed to the search, which keeps
them as long as they explain nearly as much as the best. Looks are counted because each may be wrong: every further one
gets a smaller part of what may be told falsely.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Control, insert

MOST_POINTS: Final = 30
Source = Literal["release", "weeks"]


class RegressionRow(Control):
    __tablename__ = "regressions"
    __table_args__ = (sa.Index("ix_regressions_app", "app", "model", "gone_at"),)

    fingerprint: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    app: Mapped[str] = mapped_column(sa.String(64))
    model: Mapped[str] = mapped_column(sa.String(128))
    metric: Mapped[str] = mapped_column(sa.String(32))
    cohort: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[str] = mapped_column(sa.String(64))
    source: Mapped[str] = mapped_column(sa.String(16))
    release_id: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    points: Mapped[list[Any]] = mapped_column(sa.JSON)
    looks: Mapped[int]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    gone_at: Mapped[datetime | None]


class LookRow(Control):
    """How often a release was looked at, and how many install-hours and ratings there were the last time (`seen`)."""

    __tablename__ = "looks"

    subject: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    looks: Mapped[int]
    seen: Mapped[int] = mapped_column(sa.BigInteger)
    looked_at: Mapped[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalFacts:
    cohort: str
    baseline: float
    candidate: float
    installs: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The numbers at one look."""

    at: datetime
    baseline: float
    candidate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorseFacts:
    """The numbers of a regression as they were last seen: see feedback.regressions.Regression."""

    baseline: float
    candidate: float
    effect: float
    low: float
    high: float
    installs_baseline: int
    installs_candidate: int
    confidence: float
    twins: tuple[str, ...] = ()
    rivals: tuple[RivalFacts, ...] = ()
    release: str | None = None
    baseline_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A regression that is known. `looks`: at how many it was found; `gone_at`: since when it is not any more."""

    fingerprint: str
    app: str
    model: str
    metric: str
    cohort: str
    version: str
    source: Source
    release_id: str | None
    facts: WorseFacts
    points: tuple[Point, ...]
    looks: int
    first_seen: datetime
    last_seen: datetime
    gone_at: datetime | None


def keep(session: Session, found: Found, *, now: datetime) -> Found:
    """Write down what a look found; return it with what earlier looks add."""
    before = session.get(RegressionRow, found.fingerprint, populate_existing=True, with_for_update=True)
    point = msgspec.to_builtins(Point(at=now, baseline=found.facts.baseline, candidate=found.facts.candidate))
    values: dict[str, Any] = {
        "facts": msgspec.to_builtins(found.facts),
        "points": [*(before.points if before else ()), point][-MOST_POINTS:],
        "looks": (before.looks if before and before.gone_at is None else 0) + 1,
        "last_seen": now,
        "gone_at": None,
        "release_id": found.release_id,
    }
    first = {
        name: getattr(found, name)
        for name in ("fingerprint", "app", "model", "metric", "cohort", "version", "source")
    } | {"first_seen": now}  # fmt: skip
    made = insert(session, RegressionRow).values(**first, **values)
    session.execute(made.on_conflict_do_update(index_elements=["fingerprint"], set_=values))
    kept = session.get(RegressionRow, found.fingerprint, populate_existing=True)
    assert kept is not None
    return _found(kept)


def settle(session: Session, standing: Iterable[Found], *, still: Iterable[str], now: datetime) -> tuple[Found, ...]:
    """Of those that stood before, note and return the ones that a look did not find any more."""
    found = set(still)
    gone = [each for each in standing if each.fingerprint not in found]
    if gone:
        names = [each.fingerprint for each in gone]
        session.execute(sa.update(RegressionRow).where(RegressionRow.fingerprint.in_(names)).values(gone_at=now))
    return tuple(gone)


def standing(
    session: Session, *, app: str, model: str | None = None, release_id: str | None = None, source: Source | None = None
) -> tuple[Found, ...]:
    """Return the regressions that were still there at the last look, the newest first."""
    query = sa.select(RegressionRow).where(RegressionRow.app == app, RegressionRow.gone_at.is_(None))
    for column, value in (
        (RegressionRow.model, model), (RegressionRow.release_id, release_id), (RegressionRow.source, source),
    ):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    rows = session.scalars(query.order_by(RegressionRow.first_seen.desc(), RegressionRow.fingerprint)).all()
    return tuple(_found(row) for row in rows)


def recent(session: Session, *, app: str, model: str | None, since: datetime) -> tuple[Found, ...]:
    """Return those that stand, then those that went away since then."""
    query = sa.select(RegressionRow).where(RegressionRow.app == app, RegressionRow.gone_at >= since)
    if model is not None:
        query = query.where(RegressionRow.model == model)
    gone = session.scalars(query.order_by(RegressionRow.gone_at.desc(), RegressionRow.fingerprint)).all()
    return (*standing(session, app=app, model=model), *(_found(row) for row in gone))


def find(session: Session, app: str, ref: str) -> tuple[Found, ...]:
    """Return those whose fingerprint begins like `ref` (four characters or more), two at most."""
    if len(ref) < 4:
        return ()
    begins = RegressionRow.fingerprint.startswith(ref.lower(), autoescape=True)
    rows = session.scalars(sa.select(RegressionRow).where(RegressionRow.app == app, begins).limit(2)).all()
    return tuple(_found(row) for row in rows)


def last_look(session: Session, subject: str) -> tuple[int, int]:
    """Return how often a subject was looked at, and how much there was to see the last time."""
    row = session.get(LookRow, subject, populate_existing=True)
    return (0, 0) if row is None else (row.looks, row.seen)


def note_look(session: Session, subject: str, *, looks: int, seen: int, now: datetime) -> None:
    values = {"looks": looks, "seen": seen, "looked_at": now}
    made = insert(session, LookRow).values(subject=subject, **values)
    session.execute(made.on_conflict_do_update(index_elements=["subject"], set_=values))


def _found(row: RegressionRow) -> Found:
    return Found(
        fingerprint=row.fingerprint, app=row.app, model=row.model, metric=row.metric, cohort=row.cohort,
        version=row.version, source=msgspec.convert(row.source, type=Source), release_id=row.release_id,
        facts=msgspec.convert(row.facts, type=WorseFacts), points=msgspec.convert(row.points, type=tuple[Point, ...]),
        looks=row.looks, first_seen=row.first_seen, last_seen=row.last_seen, gone_at=row.gone_at,
    )  # fmt: skip
