"""What people said an inference should have been, read for whoever trains the next model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.privacy import unseal
from feedback.corrections import Correction, Corrections, coarsened
from feedback.tables import ANSWERS, CONTEXTS, POLL_EVENTS

KIND = "correction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """Submissions to polls that ask for the right label, how many gave one, and how many people sent them."""

    answered: int
    corrected: int
    people: int


def corrected(
    session: Session, *, app: str, polls: Collection[str], since: datetime, until: datetime
) -> Corrected | None:
    """Return how often people corrected the model in [since, until); None when nobody answered."""
    row = ANSWERS.c
    submission = row.install + sa.literal("/") + row.submission
    gave = sa.case((sa.and_(row.kind == KIND, row.sealed.is_not(None)), submission))
    counts = (
        sa.func.count(sa.distinct(submission)),
        sa.func.count(sa.distinct(gave)),
        sa.func.count(sa.distinct(row.install)),
    )
    wanted = (row.app == app, row.poll.in_(polls), row.at >= since, row.at < until)
    answered, corrected, people = session.execute(sa.select(*counts).where(*wanted)).one()
    return Corrected(answered=answered, corrected=corrected, people=people) if answered else None


def corrections(
    session: Session, *, app: str, model: str, since: datetime, until: datetime, key: bytes, minimum: int, limit: int
) -> Corrections:
    """Return the newest corrections in [since, until), without who gave them; none when too few people did."""
    row, event = ANSWERS.c, POLL_EVENTS.c
    wanted = [row.app == app, row.model == model, row.at >= since, row.at < until, row.kind == KIND]
    wanted.append(row.sealed.is_not(None))
    source = ANSWERS.outerjoin(POLL_EVENTS, sa.and_(event.app == row.app, event.uuid == row.uuid))
    source = source.outerjoin(CONTEXTS, CONTEXTS.c.id == row.context)
    asked = sa.select(row.install, row.sealed, event.inference, CONTEXTS.c.model_version, row.at).select_from(source)
    rows = session.execute(asked.where(*wanted).order_by(row.at.desc(), row.uuid).limit(limit + 1)).all()
    given = [
        (install, Correction(label=label.strip(), inference=inference, model=model, version=version, day=at.date()))
        for install, sealed, inference, version, at in rows[:limit]
        if (label := unseal(sealed, key))
    ]
    return Corrections(told=coarsened(given, minimum), is_cut=len(rows) > limit)
