"""Reads for cohort reports: answers and impressions counted by the database for each value of an attribute."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.device import WIRE_NAMES, DeviceContext, short_name
from core.errors import InvalidInputError, Problem
from core.privacy import unseal
from core.segments import EVERYONE, Segment, matches, suggestion
from feedback.responses import CONTEXT_FIELDS
from feedback.tables import ANSWERS, CONTEXTS, POLL_EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCount:
    """Answers of one cohort: how often each value was given (`"4"`), and by how many installs.

    `value` is the attribute's, None where the phone did not tell it.
    """

    value: str | None
    counts: Mapping[str, int]
    n: int
    installs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpressionCount:
    """Submissions of one cohort: shown to a person, answered, dismissed, and by how many installs."""

    value: str | None
    shown: int
    answered: int
    dismissed: int
    installs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceCount:
    """How often a choice (or set of choices) was given, under which privacy mechanism."""

    question: str
    choices: tuple[str, ...]
    mechanism: str | None
    epsilon: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What one person wrote, scrubbed, with the value of the primary question in the same submission."""

    text: str
    question: str
    at: datetime
    device: DeviceContext
    rating: str | None


def answer_counts(
    session: Session,
    *,
    app: str,
    model: str,
    attribute: str,
    since: datetime,
    until: datetime,
    where: Segment = EVERYONE,
    poll: str | None = None,
) -> tuple[AnswerCount, ...]:
    """Return the answers to primary questions in [since, until) by `attribute` (wire or short name).

    Raises: InvalidInputError: there is no such attribute.
    """
    column = _column(attribute)
    row = ANSWERS.c
    wanted = _asked(session, row, app, model, since, until, where, poll)
    wanted += [row.is_primary, row.value.is_not(None)]
    source = ANSWERS.join(CONTEXTS, CONTEXTS.c.id == row.context)
    by_value = (
        sa.select(column, row.value, sa.func.count()).select_from(source).where(*wanted).group_by(column, row.value)
    )
    people = (
        sa.select(column, sa.func.count(sa.distinct(row.install))).select_from(source).where(*wanted).group_by(column)
    )
    counts: dict[str | None, dict[str, int]] = defaultdict(dict)
    for value, answer, n in session.execute(by_value):
        counts[_label(value)][_plain(answer)] = n
    installs = {_label(value): n for value, n in session.execute(people)}
    return tuple(
        AnswerCount(value=value, counts=counts[value], n=sum(counts[value].values()), installs=installs[value])
        for value in sorted(counts, key=_none_last)
    )


def impressions(
    session: Session,
    *,
    app: str,
    model: str,
    attribute: str,
    since: datetime,
    until: datetime,
    where: Segment = EVERYONE,
    poll: str | None = None,
) -> tuple[ImpressionCount, ...]:
    """Return submissions by `attribute`. Whatever was answered or dismissed had been shown, told or not."""
    column = _column(attribute)
    row = POLL_EVENTS.c
    wanted = _asked(session, row, app, model, since, until, where, poll)
    wanted.append(row.install.is_not(None))
    source = POLL_EVENTS.join(CONTEXTS, CONTEXTS.c.id == row.context)
    submission = row.install + sa.literal("/") + row.submission
    statement = (
        sa.select(
            column,
            sa.func.count(sa.distinct(submission)),
            sa.func.count(sa.distinct(sa.case((row.kind == "answered", submission)))),
            sa.func.count(sa.distinct(sa.case((row.kind == "dismissed", submission)))),
            sa.func.count(sa.distinct(row.install)),
        )
        .select_from(source)
        .where(*wanted)
        .group_by(column)
    )
    found = [
        ImpressionCount(value=_label(value), shown=shown, answered=answered, dismissed=dismissed, installs=installs)
        for value, shown, answered, dismissed, installs in session.execute(statement)
    ]
    return tuple(sorted(found, key=lambda each: _none_last(each.value)))


def choice_counts(
    session: Session,
    *,
    app: str,
    model: str,
    since: datetime,
    until: datetime,
    where: Segment = EVERYONE,
    poll: str | None = None,
) -> tuple[ChoiceCount, ...]:
    """Return how often each choice was given, by question; a set of several choices is one row."""
    row = ANSWERS.c
    wanted = _asked(session, row, app, model, since, until, where, poll)
    wanted += [row.value.is_not(None), row.kind.in_(("single_choice", "multiple_choice"))]
    keys = (row.question, row.value, row.mechanism, row.epsilon)
    statement = sa.select(*keys, sa.func.count()).where(*wanted).group_by(*keys)
    found = [
        ChoiceCount(question=question, choices=_choices(value), mechanism=mechanism, epsilon=epsilon, n=n)
        for question, value, mechanism, epsilon, n in session.execute(statement)
    ]
    return tuple(sorted(found, key=lambda each: (each.question, -each.n, each.choices)))


def quotes(
    session: Session,
    *,
    app: str,
    model: str,
    since: datetime,
    until: datetime,
    key: bytes,
    where: Segment = EVERYONE,
    limit: int = 5,
) -> tuple[Quote, ...]:
    """Return what people wrote, the latest first, unsealed with `key` (Settings.secret_key).

    The caller shows them only of cohorts that are large enough.
    """
    answer, primary = ANSWERS.alias(), ANSWERS.alias()
    contexts = CONTEXTS
    same = [answer.c[name] == primary.c[name] for name in ("app", "install", "submission")]
    wanted = _asked(session, answer.c, app, model, since, until, where)
    wanted.append(answer.c.sealed.is_not(None))
    statement = (
        sa.select(answer.c.sealed, answer.c.question, answer.c.at, primary.c.value, *_facts())
        .select_from(
            answer.join(contexts, contexts.c.id == answer.c.context).outerjoin(
                primary, sa.and_(*same, primary.c.is_primary)
            )
        )
        .where(*wanted)
        .order_by(answer.c.at.desc(), answer.c.uuid)
        .limit(limit)
    )
    found = []
    for sealed, question, at, rating, *facts in session.execute(statement):
        text = unseal(sealed, key)
        if text is not None:
            device = _device(facts)
            found.append(Quote(text=text, question=question, at=at, device=device, rating=rating and _plain(rating)))
    return tuple(found)


def contexts_in(session: Session, where: Segment) -> tuple[str, ...]:
    """Return the ids of all contexts that match; rules are matched once per distinct context, not per row."""
    rows = session.execute(sa.select(CONTEXTS.c.id, *_facts()))
    return tuple(key for key, *facts in rows if matches(where, _device(facts)))


def _asked(
    session: Session, row: Any, app: str, model: str, since: datetime, until: datetime, where: Segment,
    poll: str | None = None,
) -> list[Any]:  # fmt: skip
    """Return the conditions that every read here has: about the model, in [since, until), of the segment and poll."""
    wanted = [row.app == app, row.model == model, row.at >= since, row.at < until]
    wanted += [row.poll == poll] if poll else []
    return wanted + _of_segment(session, row.context, where)


def _of_segment(session: Session, context: Any, where: Segment) -> list[Any]:
    """Return the condition that a row's context matches; the ids travel as one JSON value, however many."""
    if where == EVERYONE:
        return []
    ids = contexts_in(session, where)
    if session.get_bind().dialect.name == "sqlite":
        each = sa.func.json_each(json.dumps(ids)).table_valued("value")
        return [context.in_(sa.select(each.c.value))]
    return [context.in_(sa.select(sa.func.json_array_elements_text(sa.literal(ids, sa.JSON)).column_valued("each")))]


def _column(attribute: str) -> Any:
    short = short_name(attribute)
    if short is None:
        raise InvalidInputError(Problem("by", f"no attribute {attribute!r}{suggestion(attribute, [*WIRE_NAMES])}"))
    return CONTEXTS.c[short]


def _facts() -> list[Any]:
    return [CONTEXTS.c[field] for field in CONTEXT_FIELDS]


def _device(facts: list[Any]) -> DeviceContext:
    return DeviceContext(**dict(zip(CONTEXT_FIELDS, facts, strict=True)))


def _label(value: str | float | None) -> str | None:
    return f"{value:g}" if isinstance(value, float) else value


def _plain(answer: str) -> str:
    """Return a stored value as people say it: `4`, `slow`."""
    value = json.loads(answer)
    return value if isinstance(value, str) else answer


def _choices(answer: str) -> tuple[str, ...]:
    value = json.loads(answer)
    return tuple(value) if isinstance(value, list) else (str(value),)


def _none_last(value: str | None) -> tuple[bool, str]:
    return value is None, value or ""
