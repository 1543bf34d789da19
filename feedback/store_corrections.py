"""What people said an inference should have been, read for whoever trains the next model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.privacy import unseal
from feedback.label_studio import Correction
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
) -> tuple[Correction, ...]:
    """Return corrections in [since, until), without who gave them; none when fewer than `minimum` people did.

    Ordered by day and by label, so that the order of a day tells nothing.
    """
    row = ANSWERS.c
    wanted = [row.app == app, row.model == model, row.at >= since, row.at < until, row.kind == KIND]
    wanted.append(row.sealed.is_not(None))
    people = session.scalar(sa.select(sa.func.count(sa.distinct(row.install))).where(*wanted)) or 0
    if people < minimum:
        return ()
    event = POLL_EVENTS.c
    source = ANSWERS.outerjoin(POLL_EVENTS, sa.and_(event.app == row.app, event.uuid == row.uuid))
    source = source.outerjoin(CONTEXTS, CONTEXTS.c.id == row.context)
    asked = sa.select(row.sealed, event.inference, CONTEXTS.c.model_version, row.at).select_from(source)
    found = [
        Correction(label=label.strip(), inference=inference, model=model, version=version, day=at.date())
        for sealed, inference, version, at in session.execute(asked.where(*wanted).order_by(row.at).limit(limit))
        if (label := unseal(sealed, key))
    ]
    return tuple(sorted(found, key=lambda each: (each.day, each.label.casefold(), each.inference or "")))
