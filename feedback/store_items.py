"""Writes of what phones send: events, answers, summaries, contexts and installs. Each uuid once, whatever comes twice.

Rows of one statement are sorted by their key, so that two transactions never wait for one another in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.device import DeviceContext
from feedback import diaries, store_sheets
from feedback.bulk import Bulk, NewRows, Statement, run
from feedback.responses import CONTEXT_FIELDS, Answer, AnswerKey, PollEvent, latest
from feedback.sheets import Entry, Place, month_of, of_event
from feedback.sketches import quantile_bucket
from feedback.tables import ANSWERS, CONTEXTS, INFERENCES, INSTALLS, POLL_EVENTS
from feedback.telemetry import Summary

Item = PollEvent | Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An answer that stands, as far as roll-ups care; `entry` is what it is in its sheet."""

    app: str
    release: str | None
    arm: str | None
    at: datetime
    stratum: str
    kind: str
    is_primary: bool
    value: str | None
    entry: Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChange:
    """What an answer was (None: not there) and is now."""

    before: Standing | None
    after: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Letters with all that writes them if none is there yet, so that nobody waits for it to be made."""

    letters: tuple[Item, ...]
    events: list[Statement]
    summaries: list[Statement]
    contexts: list[Statement]
    installs: list[Statement]
    answers: list[Statement]
    answer_rows: Mapping[AnswerKey, dict[str, Any]]
    standing: Mapping[AnswerKey, Standing]
    entries: tuple[Entry, ...]
    hours: tuple[diaries.Entry, ...]


def portion(dialect: sa.Dialect, letters: Iterable[Item]) -> Portion:
    """Make a portion of letters. Pure."""
    every = tuple(letters)
    events = [item for item in every if isinstance(item, PollEvent)]
    summaries = [item for item in every if isinstance(item, Summary)]
    p95s = [quantile_bucket(summary.latency, 0.95) for summary in summaries]
    answers = {key: _answer_row(key, event, answer) for key, (event, answer) in sorted(latest(events).items())}
    return Portion(
        letters=every,
        events=_EVENTS.statements(dialect, _each_once(_event_row(event) for event in events)),
        summaries=_SUMMARIES.statements(dialect, _each_once(map(_summary_row, summaries, p95s))),
        contexts=_CONTEXTS.statements(dialect, _context_rows(every)),
        installs=_INSTALLS.statements(dialect, _install_rows(every)),
        answers=_ANSWERS.statements(dialect, list(answers.values())),
        answer_rows=answers,
        standing={key: _standing(row) for key, row in answers.items()},
        entries=tuple(_entry(event) for event in events),
        hours=tuple(filter(None, map(diaries.of_summary, summaries, p95s))),
    )


def add_letters(session: Session, portion: Portion) -> list[Item]:
    """Write the events and summaries of a portion; return those that were new, the same one twice once."""
    unseen = {"event": _EVENTS.run(session, portion.events), "summary": _SUMMARIES.run(session, portion.summaries)}
    new: list[Item] = []
    for item in portion.letters:
        left, key = unseen["event" if isinstance(item, PollEvent) else "summary"], (item.sender.app, item.uuid)
        if key in left:
            left.remove(key)
            new.append(item)
    return new


def add_facts(session: Session, portion: Portion) -> list[AnswerChange]:
    """Write the devices, installs and answers of a portion whose letters were all new, and its sheets.

    Returns what answers changed. One that is older than what stands changes nothing.
    """
    run(session.connection(), portion.contexts)
    run(session.connection(), portion.installs)
    rows, new = portion.answer_rows, _ANSWERS.run(session, portion.answers)
    changes = [AnswerChange(before=None, after=portion.standing[key]) for key in rows if key in new]
    for key in sorted(rows.keys() - new):
        changes += _merge(session, key, rows[key])
    added, removed = [*portion.entries], []
    for change in changes:
        added += [change.after.entry] if change.after.entry else []
        removed += [change.before.entry] if change.before and change.before.entry else []
    store_sheets.change(session, added=added, removed=removed)
    return changes


def _context_rows(items: Iterable[Item]) -> list[dict[str, Any]]:
    devices = {item.sender.context: item.sender.device for item in items}
    return [_context_row(key, devices[key]) for key in sorted(devices)]


def _install_rows(items: Iterable[Item]) -> list[dict[str, Any]]:
    """Return when each install was first and last seen, and the context it was last in (of equals the greater id)."""
    seen: dict[tuple[str, str], tuple[datetime, datetime, str]] = {}
    for at, context, *key in sorted((moment(i), i.sender.context, i.sender.app, i.sender.install) for i in items):
        app, install = key
        first, *_ = seen.get((app, install), (at,))
        seen[app, install] = (first, at, context)
    return [
        {"app": app, "install": install, "context": context, "first_seen": first, "last_seen": last}
        for (app, install), (first, last, context) in sorted(seen.items())
    ]


def _latest_install(statement: Any) -> Any:
    old, new = INSTALLS.c, statement.excluded
    is_later = sa.tuple_(new.last_seen, new.context) > sa.tuple_(old.last_seen, old.context)
    changes = {name: sa.case((is_later, new[name]), else_=old[name]) for name in ("context", "last_seen")}
    changes["first_seen"] = sa.case((new.first_seen < old.first_seen, new.first_seen), else_=old.first_seen)
    return statement.on_conflict_do_update(index_elements=["app", "install"], set_=changes)


_CONTEXTS = Bulk(CONTEXTS, lambda statement: statement.on_conflict_do_nothing())
_INSTALLS = Bulk(INSTALLS, _latest_install)
_EVENTS = NewRows(POLL_EVENTS)
_SUMMARIES = NewRows(INFERENCES)
_ANSWERS = NewRows(ANSWERS)


def moment(item: Item) -> datetime:
    """Return when it happened, by the phone's corrected clock."""
    return item.at if isinstance(item, PollEvent) else item.window_start


def _merge(session: Session, key: AnswerKey, row: dict[str, Any]) -> list[AnswerChange]:
    names = ("app", "install", "submission", "question")
    is_it = sa.and_(*(ANSWERS.c[name] == part for name, part in zip(names, key, strict=True)))
    # The row is committed; on PostgreSQL the lock keeps another process from changing it meanwhile.
    before = dict(session.execute(sa.select(ANSWERS).where(is_it).with_for_update()).mappings().one())
    if (before["at"], before["uuid"]) >= (row["at"], row["uuid"]):
        return []
    session.execute(sa.update(ANSWERS).where(is_it).values(**row))
    return [AnswerChange(before=_standing(before), after=_standing(row))]


def _each_once(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        first.setdefault((row["app"], row["uuid"]), row)
    return [first[key] for key in sorted(first)]


def _context_row(key: str, device: DeviceContext) -> dict[str, Any]:
    return {"id": key, **{field: getattr(device, field) for field in CONTEXT_FIELDS}}


def _event_row(event: PollEvent) -> dict[str, Any]:
    sender, consent = event.sender, event.sender.consent
    return {
        "app": sender.app,
        "uuid": event.uuid,
        "kind": event.kind,
        "at": event.at,
        "received_at": event.received_at,
        "skew_s": event.skew_s,
        "install": sender.install,
        "context": sender.context,
        "poll": event.poll,
        "poll_version": event.poll_version,
        "model": event.model,
        "submission": event.submission,
        "release": sender.release,
        "arm": sender.arm,
        "completed": event.completed,
        "language": event.language,
        "inference": event.inference,
        "consent_granted": consent.granted if consent else None,
        "consent_text_version": consent.text_version if consent else None,
        "consent_at": consent.at if consent else None,
    }


def _answer_row(key: AnswerKey, event: PollEvent, answer: Answer) -> dict[str, Any]:
    app, install, submission, question = key
    sender = event.sender
    return {
        "app": app,
        "install": install,
        "submission": submission,
        "question": question,
        "poll": event.poll,
        "model": event.model,
        "kind": answer.kind,
        "is_primary": answer.is_primary,
        "value": answer.value,
        "sealed": answer.sealed,
        "mechanism": answer.mechanism,
        "epsilon": answer.epsilon,
        "context": sender.context,
        "stratum": sender.stratum,
        "release": sender.release,
        "arm": sender.arm,
        "at": event.at,
        "uuid": event.uuid,
    }


def _summary_row(summary: Summary, p95: int | None) -> dict[str, Any]:
    sender = summary.sender
    return {
        "app": sender.app,
        "uuid": summary.uuid,
        "window_start": summary.window_start,
        "received_at": summary.received_at,
        "skew_s": summary.skew_s,
        "window_s": summary.window_s,
        "install": sender.install,
        "context": sender.context,
        "model": summary.model,
        "release": sender.release,
        "arm": sender.arm,
        "count": summary.count,
        "crashes": summary.crashes,
        "timeouts": summary.timeouts,
        "invalid": summary.invalid,
        "fell_back": summary.fell_back,
        "latency_p95": p95,
        "latency": {str(bucket): summary.latency[bucket] for bucket in sorted(summary.latency)},
        "extra": dict(summary.extra),
    }


def _standing(row: dict[str, Any]) -> Standing:
    return Standing(
        app=row["app"],
        release=row["release"],
        arm=row["arm"],
        at=row["at"],
        stratum=row["stratum"],
        kind=row["kind"],
        is_primary=row["is_primary"],
        value=row["value"],
        entry=store_sheets.of_answer(row),
    )


def _entry(event: PollEvent) -> Entry:
    sender = event.sender
    place = Place(sender.app, event.model, month_of(event.at), event.poll, sender.context, sender.install)
    return of_event(place, event.kind, at=event.at, submission=event.submission)
