"""A cohort report from what is stored: load both periods, split, score, withhold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from core.segments import Segment
from feedback import polls, store
from feedback.reports import CohortReport, build_report
from feedback.store import StoredPoll


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants to know: `since` is how far back; `poll` a P-number or id when a model has several."""

    model: str
    attribute: str
    since: timedelta
    where: Segment
    poll: str | None = None


def report(session: Session, poll: StoredPoll, asked: Asked, *, app: str, minimum: int, now: datetime) -> CohortReport:
    """Report on the poll's primary question. Raises: InvalidInputError: no such attribute."""
    since, before = now - asked.since, now - 2 * asked.since
    counted: dict[str, Any] = {
        "app": app,
        "model": asked.model,
        "attribute": asked.attribute,
        "where": asked.where,
        "poll": poll.poll.id,
    }
    return build_report(
        model=asked.model,
        question=polls.primary_question(poll.poll),
        attribute=asked.attribute,
        since=since,
        until=now,
        answers=store.answer_counts(session, since=since, until=now, **counted),
        answers_before=store.answer_counts(session, since=before, until=since, **counted),
        impressions=store.impressions(session, since=since, until=now, **counted),
        minimum=minimum,
        where=asked.where,
    )


def choose(known: tuple[StoredPoll, ...], model: str) -> StoredPoll | None:
    """Return the poll that runs for the model, or else its newest."""
    mine = [poll for poll in known if poll.model == model]
    return next((poll for poll in mine if poll.poll.status == "running"), mine[0] if mine else None)
