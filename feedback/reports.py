"""Cohort reports: what people said, by an attribute of their devices, worst first, small cohorts withheld. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from core.disclosure import disjoint, withhold
from core.segments import EVERYONE, Segment, all_of
from feedback import cohorts
from feedback.polls import Question
from feedback.scores import Change, Score, difference, discoveries, p_below, score, share

NOT_TOLD: Final = "not told"


class Answered(Protocol):
    """How often each answer was given by the devices with one value of the attribute (None: not told)."""

    @property
    def value(self) -> str | None: ...
    @property
    def counts(self) -> Mapping[str, int]: ...
    @property
    def installs(self) -> int: ...


class Shown(Protocol):
    """How often the poll was shown to and answered by the devices with one value of the attribute."""

    @property
    def value(self) -> str | None: ...
    @property
    def shown(self) -> int: ...
    @property
    def answered(self) -> int: ...
    @property
    def installs(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRow:
    """One cohort. `segment` is None for the devices that did not tell; `before` and `change` when they can be shown."""

    cohort: str
    segment: Segment | None
    score: Score
    installs: int
    before: Score | None = None
    change: Change | None = None
    response_rate: Score | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """What may be told of one table: of which values, and whether of everybody."""

    values: frozenset[str | None]
    overall: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortReport:
    """The answers to one question in [since, until), against the period of the same length before.

    `rows` have the lowest score first. `hidden` cohorts are withheld because too few people are in them, or because
    they could be found by subtracting; `overall` is None when all people together are too few. `is_earlier` reports are
    as of `until`, because the few who answered since could be told from the difference. `left_out` answers are not
    scored: phones randomized them otherwise than the question asks now.
    """

    model: str
    question: Question
    attribute: str
    since: datetime
    until: datetime
    where: Segment
    minimum: int
    rows: tuple[CohortRow, ...]
    hidden: int
    installs: int
    overall: Score | None
    before: Score | None
    change: Change | None
    response_rate: Score | None
    is_earlier: bool = False
    left_out: int = 0

    @property
    def low_cohorts(self) -> tuple[CohortRow, ...]:
        """The rows below the overall score beyond chance; of those told, 5 % may be false (Benjamini-Hochberg)."""
        overall = self.overall
        if overall is None:
            return ()
        found = discoveries([p_below(row.score, overall) for row in self.rows])
        return tuple(row for index, row in enumerate(self.rows) if index in found)


def build_report(
    *,
    model: str,
    question: Question,
    attribute: str,
    since: datetime,
    until: datetime,
    answers: Sequence[Answered],
    answers_before: Sequence[Answered] = (),
    impressions: Sequence[Shown] = (),
    minimum: int,
    where: Segment = EVERYONE,
    visible: Visible | None = None,
    visible_before: Visible | None = None,
    left_out: int = 0,
) -> CohortReport:
    """Return the report. `answers` are of [since, until), `answers_before` of the period before; each value once.

    `visible` is what feedback/gate.py lets through; without it each table is judged by itself.
    The answers were all randomized as the question asks now, or not at all; `left_out` others were not.
    Raises: InvalidInputError: there is no such attribute.
    """
    short = cohorts.attribute(attribute)
    visible, visible_before = visible or judge(answers, minimum), visible_before or judge(answers_before, minimum)
    shown = [group for group in answers if group.value in visible.values]
    before = {
        group.value: _score(question, [group]) for group in answers_before if group.value in visible_before.values
    }
    asked = {group.value: group for group in impressions if group.installs >= minimum}
    rows = [
        _row(question, short, group, before=before.get(group.value), asked=asked.get(group.value), where=where)
        for group in shown
    ]
    overall = _score(question, answers) if visible.overall else None
    overall_before = _score(question, answers_before) if visible_before.overall else None
    return CohortReport(
        model=model,
        question=question,
        attribute=short,
        since=since,
        until=until,
        where=where,
        minimum=minimum,
        rows=tuple(sorted((row for row in rows if row is not None), key=_worst_first)),
        hidden=sum(group.installs > 0 for group in answers) - len(shown),
        installs=sum(group.installs for group in answers),
        overall=overall,
        before=overall_before,
        change=_change(overall, overall_before),
        response_rate=_rate(impressions, visible, minimum) if overall is not None else None,
        left_out=left_out,
    )


def judge(groups: Sequence[Answered], minimum: int) -> Visible:
    """Return what may be told of a table by itself: of enough people, and no help to find those it is silent about."""
    cells, people = disjoint([group.installs for group in groups])
    told = [cell if group.installs else frozenset() for cell, group in zip(cells, groups, strict=True)]
    hidden = withhold([*told, frozenset().union(*told)], people=people, minimum=minimum)
    values = frozenset(group.value for place, group in enumerate(groups) if group.installs and place not in hidden)
    return Visible(
        values=values, overall=bool(values or sum(people(cell) for cell in cells)) and len(groups) not in hidden
    )


def _row(
    question: Question, attribute: str, group: Answered, *, before: Score | None, asked: Shown | None, where: Segment
) -> CohortRow | None:
    now = _score(question, [group])
    if now is None:
        return None
    segment = None if group.value is None else all_of([where, cohorts.of(**{attribute: group.value})])
    return CohortRow(
        cohort=NOT_TOLD if group.value is None else group.value,
        segment=segment,
        score=now,
        installs=group.installs,
        before=before,
        change=_change(now, before),
        response_rate=None if asked is None else _share(asked.answered, asked.shown),
    )


def _worst_first(row: CohortRow) -> tuple[float, int, str]:
    return row.score.value, -row.score.n, row.cohort


def _score(question: Question, groups: Iterable[Answered]) -> Score | None:
    numbers: dict[int, int] = {}
    for group in groups:
        for answer, count in group.counts.items():
            number = _number(answer)
            if number is not None:
                numbers[number] = numbers.get(number, 0) + count
    epsilon = question.privacy.epsilon if question.privacy else None
    return score(question.type, numbers, scale=question.scale, epsilon=epsilon)


def _number(answer: str) -> int | None:
    """Return a stored answer as a number; a thumb (true, false) is 1 or 0."""
    if answer in ("true", "false"):
        return int(answer == "true")
    return int(answer) if answer.isascii() and answer.isdigit() else None


def _change(now: Score | None, before: Score | None) -> Change | None:
    return None if now is None or before is None else difference(now, before)


def _rate(groups: Sequence[Shown], visible: Visible, minimum: int) -> Score | None:
    """Return how many answered of those who were asked; without the rest, if that is of a few people."""
    groups = [group for group in groups if group.shown]  # of the others nobody knows how many were asked
    rest = [group for group in groups if group.value not in visible.values]
    if 0 < sum(group.installs for group in rest) < minimum:
        groups = [group for group in groups if group.value in visible.values]
    if sum(group.installs for group in groups) < minimum:
        return None
    return _share(sum(group.answered for group in groups), sum(group.shown for group in groups))


def _share(hits: int, n: int) -> Score | None:
    return share(min(hits, n), n) if n > 0 else None
