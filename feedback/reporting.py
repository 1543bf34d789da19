"""A cohort report from what is stored: load both periods, pass the gate, split, score, and remember what was told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from core.db import Databases
from core.segments import Segment
from feedback import cohorts, polls, store
from feedback.gate import Group, Table, admit, everybody, moments, of_value
from feedback.randomized import remembered_as
from feedback.reports import CohortReport, Visible, build_report
from feedback.store import StoredPoll

TRIES: Final = 3
# An earlier answer stands in for a fresh one that would give a few away for so much of the period asked about.
STALE_AFTER: Final = 1 / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants to know: `since` is how far back; `poll` a P-number or id when a model has several."""

    model: str
    attribute: str
    since: timedelta
    where: Segment
    poll: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A report, what is new of the groups it tells, and what had been told before; held back is what would be told
    without that.
    """

    report: CohortReport
    news: tuple[Group, ...]
    told: tuple[Group, ...]
    is_held_back: bool


def report(
    databases: Databases, poll: StoredPoll, asked: Asked, *, app: str, minimum: int, now: datetime
) -> CohortReport:
    """Report on the poll's primary question as of now, and remember what that tells.

    Where the difference from what was told before would tell about the few who have answered since, the report is as of
    the moment it was last asked for (`is_earlier`), if that is not long ago.
    Raises: InvalidInputError: no such attribute.
    """

    def draft(session: Session) -> _Draft:
        fresh = _draft(session, poll, asked, app=app, minimum=minimum, since=now - asked.since, until=now)
        until = _asked_before(fresh.told, asked, now) if fresh.is_held_back else None
        if until is None:
            return fresh
        earlier = _draft(session, poll, asked, app=app, minimum=minimum, since=until - asked.since, until=until)
        return replace(earlier, report=replace(earlier.report, is_earlier=True))

    return _told(databases, draft, asked, app=app, poll=poll, now=now)


def report_until(
    databases: Databases, poll: StoredPoll, asked: Asked, *, app: str, minimum: int, since: datetime, until: datetime,
    now: datetime,
) -> CohortReport:  # fmt: skip
    """Report on a period, such as a week, as far as it has passed; and remember what that tells."""
    end = min(until, now)  # what was told is known by its period: one that still grows would be another each time

    def draft(session: Session) -> _Draft:
        return _draft(session, poll, asked, app=app, minimum=minimum, since=since, until=end)

    return _told(databases, draft, asked, app=app, poll=poll, now=now)


def choose(known: tuple[StoredPoll, ...], model: str) -> StoredPoll | None:
    """Return the poll that runs for the model, or else its newest."""
    mine = [poll for poll in known if poll.model == model]
    return next((poll for poll in mine if poll.poll.status == "running"), mine[0] if mine else None)


def _told(
    databases: Databases, draft: Callable[[Session], _Draft], asked: Asked, *, app: str, poll: StoredPoll, now: datetime
) -> CohortReport:
    """Draft without keeping phones from writing; if somebody was told something meanwhile, draft again."""
    for _ in range(TRIES):
        with store.fresh(databases.ingest) as session:
            made = draft(session)
        if not made.news:
            return made.report
        with databases.ingest.begin() as session:
            store.lock_shown(session)
            first = made.report.since - asked.since
            if set(store.told_groups(session, app=app, poll=_ledger(poll), since=first)) == set(made.told):
                store.remember(session, made.news, app=app, poll=_ledger(poll), now=now)
                return made.report
    with databases.ingest.begin() as session:
        store.lock_shown(session)
        made = draft(session)
        store.remember(session, made.news, app=app, poll=_ledger(poll), now=now)
    return made.report


def _draft(
    session: Session, poll: StoredPoll, asked: Asked, *, app: str, minimum: int, since: datetime, until: datetime
) -> _Draft:
    now = Table(since=since, until=until, where=asked.where, attribute=cohorts.attribute(asked.attribute))
    before = replace(now, since=since - asked.since, until=since)
    told = store.told_groups(session, app=app, poll=_ledger(poll), since=before.since)
    ends = moments((now, before), told)
    heard = store.heard(
        session, app=app, model=asked.model, poll=poll.poll.id, since=min(ends), until=max(ends)
    )  # fmt: skip
    mine = store.as_asked(heard, polls.primary_question(poll.poll).privacy)
    answers, devices = store.who_answered(mine, moments=ends)
    passed = admit((now, before), told=told, answers=answers, devices=devices, minimum=minimum)
    built = _build(heard, mine, poll, asked, minimum=minimum, tables=(now, before), groups=passed.groups)
    return _Draft(report=built, news=passed.news, told=told, is_held_back=bool(passed.alone - passed.groups))


def _ledger(poll: StoredPoll) -> str:
    return remembered_as(poll.poll.id, polls.primary_question(poll.poll))


def _build(
    heard: store.Sheets, mine: store.Sheets, poll: StoredPoll, asked: Asked, *, minimum: int,
    tables: tuple[Table, Table], groups: frozenset[Group],
) -> CohortReport:  # fmt: skip
    """`mine` is what was heard without the answers that are not scored."""
    now, before = tables
    question = polls.primary_question(poll.poll)
    counted: dict[str, Any] = {"attribute": now.attribute, "where": asked.where}
    answers = store.answer_counts(mine, since=now.since, until=now.until, **counted)
    answers_before = store.answer_counts(mine, since=before.since, until=before.until, **counted)
    return build_report(
        model=asked.model,
        question=question,
        attribute=now.attribute,
        since=now.since,
        until=now.until,
        answers=answers,
        answers_before=answers_before,
        impressions=store.impressions(heard, since=now.since, until=now.until, **counted),
        minimum=minimum,
        where=asked.where,
        visible=_visible(now, answers, groups),
        visible_before=_visible(before, answers_before, groups),
        left_out=store.sent_otherwise(heard, question.privacy, since=now.since, until=now.until),
    )


def _visible(table: Table, answers: Sequence[store.AnswerCount], groups: frozenset[Group]) -> Visible:
    values = frozenset(each.value for each in answers if of_value(table, each.value) in groups)
    return Visible(values=values, overall=everybody(table) in groups)


def _asked_before(told: Sequence[Group], asked: Asked, now: datetime) -> datetime | None:
    """Return when the same question, or else the one most like it, was answered last, if not long ago."""
    oldest = now - asked.since * STALE_AFTER
    found = [group for group in told if group.attribute is None and oldest <= group.until < now]

    def likeness(group: Group) -> tuple[bool, bool, datetime]:
        return group.until - group.since == asked.since, group.where == asked.where, group.until

    last = max(found, key=likeness, default=None)
    return last.until if last else None
