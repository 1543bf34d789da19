"""Turns pages of another tool into batches that the collector takes like a phone's. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.errors import Problem
from feedback import polls
from feedback.imports import formbricks, posthog, zigpoll
from feedback.imports.mapping import MODEL_FACTS, ImportMap, Source, meaning
from feedback.imports.rows import Foreign, Row, Unusable, fact, identity
from feedback.polls import Poll

Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How to read one tool: the rows of a page, one row, and where it usually keeps facts about a device."""

    rows_of: Callable[[object], list[object] | None]
    read: Callable[[object, str], Row | None]
    facts: Mapping[str, str]


READERS: Final[Mapping[Source, Reader]] = {
    "formbricks": Reader(rows_of=formbricks.rows_of, read=formbricks.read, facts=formbricks.FACTS),
    "posthog": Reader(rows_of=posthog.rows_of, read=posthog.read, facts=posthog.FACTS),
    "zigpoll": Reader(rows_of=zigpoll.rows_of, read=zigpoll.read, facts=zigpoll.FACTS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """Events in the shape of `POST /v1/batch`, rows that cannot be used, and how many were about something else."""

    events: tuple[Event, ...]
    unusable: tuple[Unusable, ...]
    skipped: int


def convert(rows: Iterable[object], found: ImportMap, poll: Poll) -> Converted:
    """Return the rows as events of `poll`; the same row always becomes the same event, so it is stored once."""
    reader = READERS[found.source]
    events: list[Event] = []
    unusable: list[Unusable] = []
    skipped = 0
    for each in rows:
        row = reader.read(each, found.survey)
        made = to_event(row, found, poll) if isinstance(row, Foreign) else row
        match made:
            case None:
                skipped += 1
            case Unusable():
                unusable.append(made)
            case _:
                events.append(made)
    return Converted(events=tuple(events), unusable=tuple(unusable), skipped=skipped)


def to_event(row: Foreign, found: ImportMap, poll: Poll) -> Event | Unusable | None:
    """Return one response as an event; None when it answers nothing that is mapped."""
    answers: list[Event] = []
    for theirs, told in row.answers.items():
        mapped = found.questions.get(theirs)
        question = polls.find_question(poll, mapped.question) if mapped else None
        if mapped is not None and question is not None:
            answers.append({"question": question.id, "value": meaning(question, mapped, told)})
    if row.event == "poll answered" and not answers:
        return None
    if len({answer["question"] for answer in answers}) < len(answers):
        return Unusable(id=row.id, problems=(Problem("questions", "lead two of its answers to one question"),))
    event: Event = {
        "uuid": identity(found.source, row.id),
        "event": row.event,
        "timestamp": row.at,
        "poll": poll.id,
        "poll_version": poll.version,
        "submission": identity(found.source, row.submission),
        "install": f"{found.source}:{row.person}"[:200],
        "completed": row.completed,
        "language": row.language,
        "answers": answers,
        **_facts(row, found),
    }
    if found.consent is not None:
        event["consent"] = found.consent
    return {name: value for name, value in event.items() if value is not None}


def _facts(row: Foreign, found: ImportMap) -> Event:
    paths = {**READERS[found.source].facts, **found.facts}
    told = {name: fact(row.row, path) for name, path in paths.items()}
    model = {name: told.pop(f"model.{name}", None) for name in MODEL_FACTS}
    model = {name: value for name, value in model.items() if value is not None}
    return told | ({"model": model} if model else {})
