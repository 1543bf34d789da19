"""Which message is a release's card: claimed before it is posted or edited, so that two jobs never both do it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.tables import CardRow
from core.db import insert

# A job that claimed the first post and died with it is followed by another after this.
POST_TAKES = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to post (no `ts` yet) or edit the card. `shown` is what it showed; `before` when it was claimed last.

    Moments are real time: how often Slack may be asked does not depend on the sandbox's clock.
    """

    subject: str
    channel: str
    ts: str
    shown: str
    at: datetime
    before: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Another job claimed the card a moment ago, or is posting it; try again at `until`, the same for all who wait."""

    until: datetime


def claim(session: Session, subject: str, channel: str, *, at: datetime, every: timedelta) -> Claim | Wait:
    """Claim the card, or learn when to try again: within `every`, so that a change is seen soon after a slow post."""
    new = insert(session, CardRow).values(subject=subject, channel=channel, ts="", shown="", updated_at=at)
    new = new.on_conflict_do_nothing(index_elements=["subject", "channel"]).returning(CardRow.subject)
    if session.execute(new).first() is not None:
        return Claim(subject=subject, channel=channel, ts="", shown="", at=at, before=None)
    row = session.scalars(sa.select(CardRow).where(_is(subject, channel)).with_for_update()).one()
    age = max(at - row.updated_at, timedelta())
    if age < (every if row.ts else POST_TAKES):
        return Wait(until=row.updated_at + every * (1 + age // every))
    found = Claim(subject=subject, channel=channel, ts=row.ts, shown=row.shown, at=at, before=row.updated_at)
    session.execute(sa.update(CardRow).where(_is(subject, channel)).values(updated_at=at))
    return found


def note(session: Session, claim: Claim, *, ts: str, shown: str) -> None:
    """Note what was posted or edited; the next edit may follow after a pause."""
    session.execute(sa.update(CardRow).where(_is(claim.subject, claim.channel)).values(ts=ts, shown=shown))


def give_back(session: Session, claim: Claim) -> None:
    """Nothing was posted: the next one may try at once."""
    mine = sa.and_(_is(claim.subject, claim.channel), CardRow.updated_at == claim.at)
    if claim.before is None:
        session.execute(sa.delete(CardRow).where(mine))
    else:
        session.execute(sa.update(CardRow).where(mine).values(updated_at=claim.before))


def find(session: Session, subject: str, channel: str) -> Claim | None:
    """Return the card as it stands; without `ts` it is being posted."""
    row = session.get(CardRow, (subject, channel), populate_existing=True)
    return None if row is None else _claim(row)


def posted(session: Session, subject: str) -> Claim | None:
    """Return the card where it stands in a channel, None when it does not yet."""
    row = session.scalars(sa.select(CardRow).where(CardRow.subject == subject, CardRow.ts != "")).first()
    return None if row is None else _claim(row)


def _claim(row: CardRow) -> Claim:
    return Claim(subject=row.subject, channel=row.channel, ts=row.ts, shown=row.shown, at=row.updated_at, before=None)


def _is(subject: str, channel: str) -> sa.ColumnElement[bool]:
    return sa.and_(CardRow.subject == subject, CardRow.channel == channel)
