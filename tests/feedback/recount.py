"""The second way to count what reports tell: by the database, from the rows of events and answers themselves."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.segments import EVERYONE, Segment
from feedback.store_cohorts import AnswerCount, ChoiceCount, ImpressionCount, contexts_in
from feedback.tables import ANSWERS, CONTEXTS, POLL_EVENTS, SHEETS

Found = list[tuple[Any, ...]]
_MIGRATIONS = Path(__file__).parents[2] / "migrations/ingest/versions"


def sheets(session: Session) -> Found:
    """Return every sheet."""
    return [tuple(row) for row in session.execute(sa.select(SHEETS).order_by(*SHEETS.primary_key.columns))]


def sheets_anew(session: Session) -> Found:
    """Return every sheet as the migration makes them of rows; the caller rolls back."""
    session.execute(sa.delete(SHEETS))
    migration("0005_keep_sheets").fill(session.connection())
    return sheets(session)


def migration(name: str) -> Any:
    """Return the module of a migration of what phones send."""
    spec = importlib.util.spec_from_file_location(name, _MIGRATIONS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answers(session: Session, attribute: str, since: datetime, until: datetime, where: Segment) -> Found:
    row, column = ANSWERS.c, CONTEXTS.c[attribute]
    source = ANSWERS.join(CONTEXTS, CONTEXTS.c.id == row.context)
    wanted = [*_in(session, row, since, until, where), row.is_primary, row.value.is_not(None)]
    counts: dict[str | None, dict[str, int]] = defaultdict(dict)
    by_value = sa.select(column, row.value, sa.func.count()).select_from(source).where(*wanted)
    for label, value, n in session.execute(by_value.group_by(column, row.value)):
        counts[label][value] = n
    people = sa.select(column, sa.func.count(sa.distinct(row.install))).select_from(source).where(*wanted)
    installs = {label: n for label, n in session.execute(people.group_by(column))}  # noqa: C416 (rows are no pairs)
    return sorted(
        ((label, counts[label], sum(counts[label].values()), installs[label]) for label in counts), key=_none_last
    )


def told_answers(counts: tuple[AnswerCount, ...]) -> Found:
    return [(each.value, each.counts, each.n, each.installs) for each in counts]


def impressions(session: Session, attribute: str, since: datetime, until: datetime, where: Segment) -> Found:
    row, column = POLL_EVENTS.c, CONTEXTS.c[attribute]
    submission = row.install + sa.literal("/") + row.submission
    kinds = [sa.func.count(sa.distinct(sa.case((row.kind == kind, submission)))) for kind in ("answered", "dismissed")]
    was_told = sa.func.max(sa.case((row.kind == "shown", 1), else_=0))
    shown = sa.func.count(sa.distinct(submission)) * was_told
    counted = [shown, *kinds, sa.func.count(sa.distinct(row.install))]
    source = POLL_EVENTS.join(CONTEXTS, CONTEXTS.c.id == row.context)
    statement = sa.select(column, *counted).select_from(source).where(*_in(session, row, since, until, where))
    return sorted((tuple(each) for each in session.execute(statement.group_by(column))), key=_none_last)


def told_impressions(counts: tuple[ImpressionCount, ...]) -> Found:
    return [(each.value, each.shown, each.answered, each.dismissed, each.installs) for each in counts]


def choices(session: Session, since: datetime, until: datetime, where: Segment) -> Counter[tuple[Any, ...]]:
    row = ANSWERS.c
    wanted = [*_in(session, row, since, until, where), row.value.is_not(None), row.kind == "multiple_choice"]
    keys = (row.question, row.value, row.mechanism, row.epsilon)
    found = session.execute(sa.select(*keys, sa.func.count()).where(*wanted).group_by(*keys))
    return Counter({(question, tuple(json.loads(value)), *how): n for question, value, *how, n in found})


def told_choices(counts: tuple[ChoiceCount, ...]) -> Counter[tuple[Any, ...]]:
    return Counter({(each.question, each.choices, each.mechanism, each.epsilon): each.n for each in counts})


def who_answered(session: Session, moments: list[datetime]) -> set[tuple[Any, ...]]:
    """Return context, span between moments and install of the answers to primary questions."""
    row, ends = ANSWERS.c, sorted(moments)
    wanted = [*_in(session, row, ends[0], ends[-1], EVERYONE), row.is_primary, row.value.is_not(None)]
    rows = session.execute(sa.select(row.context, row.at, row.install).where(*wanted))
    return {(context, max(end for end in ends if end <= at), install) for context, at, install in rows}


def _in(session: Session, row: Any, since: datetime, until: datetime, where: Segment) -> list[Any]:
    period = [row.app == "demo", row.model == "kws", row.at >= since, row.at < until]
    return [*period, row.context.in_(contexts_in(session, where))]


def _none_last(row: tuple[Any, ...]) -> tuple[bool, str]:
    return row[0] is None, row[0] or ""
