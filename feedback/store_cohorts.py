"""Reads for cohort reports: answers and impressions for each value of an attribute, from sheets; and quotes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import among
from core.device import WIRE_NAMES, DeviceContext, short_name
from core.errors import InvalidInputError, Problem
from core.privacy import unseal
from core.segments import EVERYONE, Segment, matches, suggestion
from feedback import store_sheets
from feedback.gate import Answered
from feedback.questions import CHOOSING, Privacy
from feedback.responses import CONTEXT_FIELDS
from feedback.sheet_counts import Sheets, people, submissions, times, who
from feedback.sheets import AnswerTold
from feedback.tables import ANSWERS, CONTEXTS


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


def heard(
    session: Session, *, app: str, model: str, since: datetime, until: datetime, poll: str | None = None
) -> Sheets:
    """Return all that polls about a model (or one of them) were told in [since, until), to be counted."""
    return store_sheets.read(session, app=app, model=model, since=since, until=until, poll=poll)


def as_asked(told: Sheets, privacy: Privacy | None, *, question: str | None = None) -> Sheets:
    """Return what was told without answers to primary questions (or one) that phones randomized otherwise.

    Every coin has its own way back to what is behind the answers, so only those of one are counted together; and who
    is not counted must not stand for the others at the gate.
    """
    return told.without(_otherwise(told, privacy, question))


def sent_otherwise(
    told: Sheets, privacy: Privacy | None, *, since: datetime, until: datetime, question: str | None = None
) -> int:
    """Return how many of everybody's answers of [since, until) `as_asked` leaves out."""
    return int(told.where(_otherwise(told, privacy, question), since=since, until=until).sum())


def answer_counts(
    told: Sheets, *, attribute: str, since: datetime, until: datetime, where: Segment = EVERYONE
) -> tuple[AnswerCount, ...]:
    """Return the answers to primary questions in [since, until) by `attribute` (wire or short name).

    Raises: InvalidInputError: there is no such attribute.
    """
    labels = _labels(told, attribute)
    answers = _answers_to(told, None)
    wanted = told.where(answers, since=since, until=until, inside=where)
    installs, found = people(told, labels, wanted), times(told, labels, wanted)
    counts: dict[str | None, Counter[str]] = {label: Counter() for label in installs}
    for label in installs:
        # In the order of what was stored: sums of floats are the same each time.
        for place, n in sorted(found[label].items(), key=lambda each: answers[each[0]].value):
            counts[label][_plain(answers[place].value)] += n
    return tuple(
        AnswerCount(value=label, counts=dict(counts[label]), n=counts[label].total(), installs=installs[label])
        for label in sorted(counts, key=_none_last)
    )


def impressions(
    told: Sheets, *, attribute: str, since: datetime, until: datetime, where: Segment = EVERYONE
) -> tuple[ImpressionCount, ...]:
    """Return submissions by `attribute`. Whatever was answered or dismissed had been shown, told or not.

    Where nothing at all was told as shown, as by importers, nobody knows how many were asked: 0.
    """
    labels = _labels(told, attribute)
    kinds = {kind: place for place, kind in enumerate(told.things) if told.answers[place] is None}
    shown = told.where(kinds.values(), since=since, until=until, inside=where)
    installs = people(told, labels, shown)
    is_kind = [shown & (told.told == kinds.get(kind, -1)) for kind in ("shown", "answered", "dismissed")]
    counted, impressed, answered, dismissed = submissions(told, labels, shown, *is_kind)
    return tuple(
        ImpressionCount(
            value=label, shown=counted[label] if impressed.get(label) else 0, answered=answered.get(label, 0),
            dismissed=dismissed.get(label, 0), installs=installs[label],
        )
        for label in sorted(counted, key=_none_last)
    )  # fmt: skip


def choice_counts(
    told: Sheets, *, since: datetime, until: datetime, where: Segment = EVERYONE
) -> tuple[ChoiceCount, ...]:
    """Return how often each choice was given, by question; a set of several choices is one row."""
    answers = {place: answer for place, answer in enumerate(told.answers) if answer and answer.kind in CHOOSING}
    wanted = told.where(answers, since=since, until=until, inside=where)
    everywhere = [None] * len(told.contexts)
    counts: Counter[tuple[str, str, str | None, float | None]] = Counter()
    for place, n in times(told, everywhere, wanted).get(None, {}).items():
        answer = answers[place]
        counts[answer.question, answer.value, answer.mechanism, answer.epsilon] += n
    found = [
        ChoiceCount(question=question, choices=_choices(value), mechanism=mechanism, epsilon=epsilon, n=n)
        for (question, value, mechanism, epsilon), n in counts.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.question, -each.n, each.choices)))


def who_answered(
    told: Sheets, *, moments: Sequence[datetime], question: str | None = None
) -> tuple[list[Answered], dict[str, DeviceContext]]:
    """Return who answered primary questions (or one) between the first and the last of some moments, for the gate.

    Of the answers of one sheet between two moments there is one, as of the first of the two.
    """
    wanted = told.where(_answers_to(told, question), since=min(moments), until=max(moments))
    answers = list(who(told, wanted, moments))
    return answers, dict(zip(told.contexts, told.devices, strict=True))


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
    row = answer.c
    wanted = [row.app == app, row.model == model, row.at >= since, row.at < until]
    wanted += _of_segment(session, row.context, where)
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


def _of_segment(session: Session, context: Any, where: Segment) -> list[Any]:
    """Return the condition that a row's context matches."""
    return [] if where == EVERYONE else [among(session, context, contexts_in(session, where))]


def _answers_to(told: Sheets, question: str | None) -> dict[int, AnswerTold]:
    """Return the answers to a question, or to primary ones, by their place among `things`."""
    return {
        place: answer
        for place, answer in enumerate(told.answers)
        if answer and (answer.is_primary if question is None else answer.question == question)
    }


def _otherwise(told: Sheets, privacy: Privacy | None, question: str | None) -> list[int]:
    wanted = (privacy.mechanism, privacy.epsilon) if privacy else (None, None)
    answers = _answers_to(told, question).items()
    return [place for place, answer in answers if (answer.mechanism, answer.epsilon) != wanted]


def _labels(told: Sheets, attribute: str) -> list[str | None]:
    short = short_name(attribute)
    if short is None:
        raise InvalidInputError(Problem("by", f"no attribute {attribute!r}{suggestion(attribute, [*WIRE_NAMES])}"))
    return [device.label(short) for device in told.devices]


def _facts() -> list[Any]:
    return [CONTEXTS.c[field] for field in CONTEXT_FIELDS]


def _device(facts: list[Any]) -> DeviceContext:
    return DeviceContext(**dict(zip(CONTEXT_FIELDS, facts, strict=True)))


def _plain(answer: str) -> str:
    """Return a stored value as people say it: `4`, `slow`."""
    value = json.loads(answer)
    return value if isinstance(value, str) else answer


def _choices(answer: str) -> tuple[str, ...]:
    value = json.loads(answer)
    return tuple(value) if isinstance(value, list) else (str(value),)


def _none_last(value: str | None) -> tuple[bool, str]:
    return value is None, value or ""
