"""Polls as JSON, in the shape phones fetch: read with every mistake, written so that reading gives them back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, cast

from core.device import WIRE_NAMES, short_name
from core.errors import InvalidInputError, Problem
from core.segments import EVERYONE, Segment, parse, suggestion
from core.segments import from_json as segment_from_json
from core.segments import to_json as segment_to_json
from feedback import poll_rules
from feedback.poll_definition import (
    STATUSES,
    TRIGGER_OPERATORS,
    Consent,
    Frequency,
    Iterations,
    Poll,
    Quota,
    Sampling,
    Status,
    Trigger,
    TriggerOperator,
    When,
)
from feedback.question_json import check_branches, read_id, read_question, write_question
from feedback.questions import Question
from feedback.reading import Fields

MAX_QUESTIONS: Final = 20
MAX_COUNT: Final = 10_000_000


def from_json(node: object, *, is_new: bool = False, find: Callable[[str], Poll | None] = lambda _: None) -> Poll:
    """Read a poll definition; one that `is_new` (a file, a form) keeps to feedback/poll_rules.py as well, where the
    poll of its id, if there is one to `find`, did.

    Raises: InvalidInputError: with every mistake and its path.
    """
    problems: list[Problem] = []
    if is_new and isinstance(node, Mapping):
        node, problems = poll_rules.written(node)
    poll = _read_poll(Fields(node, "", problems))
    if is_new and isinstance(node, Mapping):
        problems += poll_rules.newly_broken(poll, node, find(poll.id))
    if problems:
        raise InvalidInputError(*problems)
    return poll


def to_json(poll: Poll) -> dict[str, object]:
    """Return the definition as phones fetch it; parts that say nothing are left out."""
    node: dict[str, object] = {
        "id": poll.id,
        "name": poll.name,
        "model": poll.model,
        "status": poll.status,
        "version": poll.version,
        "start_date": _iso(poll.start_date),
        "end_date": _iso(poll.end_date),
        "questions": [write_question(question) for question in poll.questions],
        "trigger": _write_trigger(poll.trigger) if poll.trigger else None,
        "targeting": segment_to_json(poll.targeting) if poll.targeting != EVERYONE else None,
        "sampling": {"percent": poll.sampling.percent, "salt": poll.sampling.salt},
        "frequency": _told(
            display_limit=poll.frequency.display_limit,
            recontact_days=poll.frequency.recontact_days,
            cooldown_days=poll.frequency.cooldown_days,
        ),
        "iterations": _told(count=poll.iterations.count, every_days=poll.iterations.every_days)
        if poll.iterations
        else None,
        "quotas": [{"by": [WIRE_NAMES[name] for name in quota.by], "limit": quota.limit} for quota in poll.quotas],
        "responses_limit": poll.responses_limit,
        "consent": _told(
            required=poll.consent.required or None,
            purpose=poll.consent.purpose,
            text_version=poll.consent.text_version,
        ),
        "retention_days": poll.retention_days,
    }
    always = {"start_date", "end_date"}
    return {name: value for name, value in node.items() if name in always or value not in (None, {}, [])}


def _read_poll(fields: Fields) -> Poll:
    poll_id = read_id(fields, "id")
    start, end = fields.moment("start_date"), fields.moment("end_date")
    if start and end and end <= start:
        fields.wrong("end_date", "must be after start_date")
    poll = Poll(
        id=poll_id,
        name=fields.needed_text("name", longest=100),
        model=fields.text("model", longest=64),
        status=cast(Status, fields.one_of("status", STATUSES) or "draft"),
        version=fields.integer("version", 1, MAX_COUNT) or 1,
        start_date=start,
        end_date=end,
        questions=_read_questions(fields),
        trigger=_read_trigger(fields.inner("trigger")),
        targeting=_read_targeting(fields),
        sampling=_read_sampling(fields.inner("sampling"), poll_id),
        frequency=_read_frequency(fields.inner("frequency")),
        iterations=_read_iterations(fields.inner("iterations")),
        quotas=tuple(_read_quota(item, path, fields.problems) for path, item in fields.each("quotas", at_most=20)),
        responses_limit=fields.integer("responses_limit", 1, MAX_COUNT),
        consent=_read_consent(fields.inner("consent")),
        retention_days=fields.integer("retention_days", 1, 3650),
    )
    fields.done()
    return poll


def _read_questions(fields: Fields) -> tuple[Question, ...]:
    if not fields.raw("questions"):
        fields.wrong("questions", "must be at least one")
        return ()
    items = fields.each("questions", at_most=MAX_QUESTIONS)
    questions = tuple(read_question(item, path, fields.problems) for path, item in items)
    check_branches(questions, fields.problems)
    return questions


def _read_targeting(fields: Fields) -> Segment:
    """Read the rule, as JSON or as the text that commands take."""
    node = fields.raw("targeting")
    try:
        return parse(node) if isinstance(node, str) else segment_from_json(node, fields.at("targeting"))
    except InvalidInputError as error:
        is_text = isinstance(node, str)
        for problem in error.problems:
            told = f"{problem.path}: {problem.message}" if is_text and problem.path else problem.message
            fields.problems.append(Problem(fields.at("targeting") if is_text else problem.path, told))
        return EVERYONE


def _read_trigger(fields: Fields | None) -> Trigger | None:
    if fields is None:
        return None
    event = fields.needed_text("event", longest=80)
    inner = fields.inner("when")
    when = None
    if inner is not None:
        name = inner.needed_text("field", longest=80)
        operator = inner.one_of("operator", TRIGGER_OPERATORS)
        if operator is None and inner.raw("operator") is None:
            inner.wrong("operator", "is missing")
        operator = operator or "eq"
        when = When(field=name, operator=cast(TriggerOperator, operator), value=_read_value(inner, operator))
        inner.done()
    fields.done()
    return Trigger(event=event, when=when)


def _read_value(fields: Fields, operator: str) -> str | float | bool | tuple[str | float | bool, ...]:
    value = fields.raw("value")
    items = value if isinstance(value, list) else [value]
    scalars = tuple(item for item in items if isinstance(item, str | int | float))
    if len(scalars) != len(items) or not scalars or len(scalars) > 100:
        fields.wrong("value", "must be text, a number, true, false or a list of them")
        return ""
    is_list = operator in ("in", "not_in")
    if is_list != isinstance(value, list):
        fields.wrong("value", "must be a list" if is_list else f"must be one value for {operator}")
    if operator in ("lt", "lte", "gt", "gte") and (isinstance(value, bool) or not isinstance(value, int | float)):
        fields.wrong("value", f"must be a number for {operator}")
    return scalars if is_list else scalars[0]


def _read_sampling(fields: Fields | None, poll_id: str) -> Sampling:
    if fields is None:
        return Sampling(salt=poll_id)
    percent = fields.number("percent", 0, 100)
    salt = fields.text("salt", longest=64)
    fields.done()
    return Sampling(percent=100.0 if percent is None else percent, salt=salt or poll_id)


def _read_frequency(fields: Fields | None) -> Frequency:
    if fields is None:
        return Frequency()
    frequency = Frequency(
        display_limit=fields.integer("display_limit", 1, 1000),
        recontact_days=fields.integer("recontact_days", 1, 3650),
        cooldown_days=fields.integer("cooldown_days", 1, 3650),
    )
    fields.done()
    return frequency


def _read_iterations(fields: Fields | None) -> Iterations | None:
    if fields is None:
        return None
    count = fields.needed_integer("count", 1, 1000)
    iterations = Iterations(count=count, every_days=fields.needed_integer("every_days", 1, 3650))
    fields.done()
    return iterations


def _read_quota(node: object, path: str, problems: list[Problem]) -> Quota:
    fields = Fields(node, path, problems)
    names: list[str] = []
    for where, item in fields.each("by", at_most=5):
        name = short_name(item) if isinstance(item, str) else None
        if name is None:
            near = suggestion(str(item), list(WIRE_NAMES))
            problems.append(Problem(where, f"no field {str(item)[:40]!r}{near}"))
        elif name in names:
            problems.append(Problem(where, f"{name} stands twice"))
        names.append(name or "")
    if not names and isinstance(fields.raw("by"), list | None):
        fields.wrong("by", "must name at least one field")
    quota = Quota(by=tuple(names), limit=fields.needed_integer("limit", 1, MAX_COUNT))
    fields.done()
    return quota


def _read_consent(fields: Fields | None) -> Consent:
    if fields is None:
        return Consent(required=False)
    consent = Consent(
        required=fields.flag("required"),
        purpose=fields.text("purpose", longest=80),
        text_version=fields.text("text_version", longest=40),
    )
    fields.done()
    return consent


def _write_trigger(trigger: Trigger) -> dict[str, object]:
    if trigger.when is None:
        return {"event": trigger.event}
    value = list(trigger.when.value) if isinstance(trigger.when.value, tuple) else trigger.when.value
    when: Mapping[str, object] = {"field": trigger.when.field, "operator": trigger.when.operator, "value": value}
    return {"event": trigger.event, "when": when}


def _told(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
