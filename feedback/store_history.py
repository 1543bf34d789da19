"""Reads about one poll: how far its quotas are filled, and what one install has seen of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.device import NUMBER_FIELDS, DeviceContext
from core.privacy import InstallHash
from feedback.polls import Poll, Quota
from feedback.tables import ANSWERS, CONTEXTS, POLL_EVENTS
from feedback.targeting import History

_SUBMISSIONS = sa.func.count(sa.distinct(ANSWERS.c.install + sa.literal("/") + ANSWERS.c.submission))


def response_counts(session: Session, *, app: str) -> dict[str, int]:
    """Return how many submissions answered each poll."""
    statement = sa.select(ANSWERS.c.poll, _SUBMISSIONS).where(ANSWERS.c.app == app).group_by(ANSWERS.c.poll)
    return {row[0]: row[1] for row in session.execute(statement)}


def full_groups(session: Session, *, app: str, poll: Poll, quota: Quota) -> tuple[dict[str, str | float | None], ...]:
    """Return the groups of devices whose quota is filled, as short field names and values (None: not told).

    Words make one group without regard to case, as in rules; one of their spellings stands for all.
    """
    columns = [_caseless(field) for field in quota.by]
    statement = (
        sa.select(*(sa.func.min(CONTEXTS.c[field]) for field in quota.by))
        .select_from(ANSWERS.join(CONTEXTS, CONTEXTS.c.id == ANSWERS.c.context))
        .where(ANSWERS.c.app == app, ANSWERS.c.poll == poll.id)
        .group_by(*columns)
        .having(quota.limit <= _SUBMISSIONS)
        .order_by(*columns)
    )
    return tuple(dict(zip(quota.by, row, strict=True)) for row in session.execute(statement))


def install_history(session: Session, *, app: str, install: InstallHash, device: DeviceContext, poll: Poll) -> History:
    """Return what is known of an install and a poll, for `targeting.explain`."""
    event = POLL_EVENTS.c
    its = (event.app == app, event.install == install)
    shown = session.scalars(
        sa.select(event.at).where(*its, event.poll == poll.id, event.kind == "shown").order_by(event.at)
    )
    answered = _last(session, *its, event.poll == poll.id, event.kind == "answered")
    consent = session.execute(
        sa.select(event.consent_granted, event.consent_text_version)
        .where(*its, event.consent_granted.is_not(None))
        .order_by(event.at.desc(), event.uuid.desc())
        .limit(1)
    ).first()
    return History(
        shown=tuple(shown),
        answered=answered,
        any_poll_shown=_last(session, *its, event.kind == "shown"),
        has_consented=bool(consent and consent[0]),
        consent_text_version=consent[1] if consent else None,
        responses=response_counts(session, app=app).get(poll.id, 0),
        quota_responses=tuple(_in_group(session, app, poll, quota, device) for quota in poll.quotas),
    )


def _last(session: Session, *wanted: Any) -> datetime | None:
    found = session.scalar(sa.select(POLL_EVENTS.c.at).where(*wanted).order_by(POLL_EVENTS.c.at.desc()).limit(1))
    return found if isinstance(found, datetime) else None


def _caseless(field: str) -> sa.ColumnElement[Any]:
    return CONTEXTS.c[field] if field in NUMBER_FIELDS else sa.func.lower(CONTEXTS.c[field])


def _lowered(value: str | float | None) -> Any:
    return sa.func.lower(value) if isinstance(value, str) else value


def _in_group(session: Session, app: str, poll: Poll, quota: Quota, device: DeviceContext) -> int:
    alike = [_caseless(field).is_not_distinct_from(_lowered(device.value(field))) for field in quota.by]
    source = ANSWERS.join(CONTEXTS, CONTEXTS.c.id == ANSWERS.c.context)
    statement = sa.select(_SUBMISSIONS).select_from(source)
    return session.scalar(statement.where(ANSWERS.c.app == app, ANSWERS.c.poll == poll.id, *alike)) or 0
