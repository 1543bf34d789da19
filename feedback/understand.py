"""Turns what a phone sent into what is stored, or into all of its problems.

An install id becomes a pseudonym, the phone's clock is corrected, texts are sealed, answers checked by their poll.
Pure.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, cast

import msgspec

from core.device import DeviceContext
from core.errors import Problem
from core.privacy import pseudonymize, scrub, seal
from feedback import polls
from feedback.polls import Poll
from feedback.questions import CHOOSING
from feedback.responses import Answer, Consent, EventKind, PollEvent, Sender, context_id, stratum
from feedback.telemetry import Summary
from feedback.unpack import Parcel, Unreadable
from feedback.wire import AcceleratorUse, AnswerGiven, Confidence, Event, Facts, Inference, Response

# A request that took a minute to arrive (or was sent again) says nothing about the phone's clock.
SKEW_TOLERATED: Final = timedelta(seconds=60)
AHEAD_TOLERATED: Final = timedelta(minutes=5)

# Facts come first in every struct that has them, in this order; Context ends with the accelerator.
FACTS: Final = len(Facts.__struct_fields__)
NO_FACTS: Final = (None,) * FACTS
MODEL_FACTS: Final = ("name", "version", "variant")
PLAIN: Final = (str, int, float)
NAMES: Final = (
    *(field.encode_name for field in msgspec.structs.fields(Facts)[1:-2]),
    "accelerator",
    *(f"model.{name}" for name in MODEL_FACTS),
)
KINDS: Final[Mapping[str, EventKind]] = {
    "poll shown": "shown",
    "poll answered": "answered",
    "poll dismissed": "dismissed",
    "poll abandoned": "abandoned",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPoll:
    """One version of a poll, the model it is about, and its latest version.

    `read` remembers answers that were read before: of what a person can pick there are few, and they come again.
    """

    poll: Poll
    model: str
    primary: str
    latest: int
    read: dict[tuple[object, ...], Answer] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What is needed to understand a phone; `find_poll(app, id, version)` gives the latest version for None."""

    hash_key: bytes
    secret_key: bytes
    retention_days: int
    find_poll: Callable[[str, str, int | None], KnownPoll | None]


class _Unkeepable(Exception):  # noqa: N818 (never leaves this module)
    def __init__(self, *problems: Problem) -> None:
        self.problems = problems


def understand(parcel: Parcel, *, app: str, now: datetime, house: House) -> list[PollEvent | Summary | Unreadable]:
    """Return each item as it will be stored, or what is wrong with it, in the order they were sent."""
    post = _Post(parcel, app, now, house)
    return [_understand(item, post) for item in parcel.items]


class _Post:
    """What all items of one request share."""

    __slots__ = ("app", "context", "house", "now", "shared", "skew", "skew_s")

    def __init__(self, parcel: Parcel, app: str, now: datetime, house: House) -> None:
        self.app = app
        self.context = parcel.context
        self.house = house
        self.now = now
        self.skew = _skew(parcel.sent_at, now)
        self.skew_s = int(self.skew.total_seconds())
        self.shared: Sender | None = None


def _understand(item: Event | Response | Inference | Unreadable, post: _Post) -> PollEvent | Summary | Unreadable:
    if isinstance(item, Unreadable):
        return item
    try:
        return _summary(item, post) if isinstance(item, Inference) else _event(item, post)
    except _Unkeepable as error:
        return Unreadable(uuid=item.uuid, problems=error.problems)


def _event(item: Event | Response, post: _Post) -> PollEvent:
    assert item.timestamp
    assert item.submission
    problems: list[Problem] = []
    sender = _sender(item, item.accelerator, post, problems)
    known = post.house.find_poll(post.app, item.poll, item.poll_version)
    if known is None:
        raise _Unkeepable(*problems, _unknown_poll(item, post.app, post.house))
    days = min(post.house.retention_days, known.poll.retention_days)
    at = _moment(item.timestamp, "timestamp", post, days, problems)
    answers = _answers(known, item.answers, post.house, problems)
    if item.event == "poll answered":
        problems += [] if item.answers else [Problem("answers", "must have at least one answer")]
        problems += _consent_missing(known.poll, sender.consent if sender else None)
    if problems or sender is None or at is None:
        raise _Unkeepable(*problems)
    return PollEvent(
        uuid=item.uuid,
        sender=sender,
        kind=KINDS[item.event],
        poll=known.poll.id,
        poll_version=known.poll.version,
        model=known.model,
        submission=item.submission,
        at=at,
        skew_s=post.skew_s,
        received_at=post.now,
        completed=item.completed,
        language=item.language,
        inference=item.inference,
        answers=answers,
    )


def _summary(item: Inference, post: _Post) -> Summary:
    problems: list[Problem] = []
    use = item.accelerator
    used = use if isinstance(use, AcceleratorUse) else AcceleratorUse()
    # A cohort is what was asked for: by what was used, every fallback would be the CPU's.
    asked = (used.requested or post.context.accelerator or used.used) if use is used else use
    sender = _sender(item, asked, post, problems)
    start = _moment(item.window_start, "window_start", post, post.house.retention_days, problems)
    if sender is not None and sender.device.model is None:
        problems.append(Problem("context.model.name", "is missing: inferences of which model?"))
    histogram = item.confidence
    if histogram and len(histogram.edges) != len(histogram.counts) + 1:
        problems.append(Problem("confidence.counts", "must be one fewer than edges"))
    if problems or sender is None or start is None:
        raise _Unkeepable(*problems)
    return Summary(
        uuid=item.uuid,
        sender=sender,
        model=str(sender.device.model),
        window_start=start,
        window_s=item.window_s,
        skew_s=post.skew_s,
        received_at=post.now,
        count=item.count,
        crashes=item.errors.crash,
        timeouts=item.errors.timeout,
        invalid=item.errors.input_invalid,
        fell_back=used.fallback_reason is not None or (used.used or used.requested) != (used.requested or used.used),
        latency=_merged(item.latency_ms.buckets) if item.latency_ms else {},
        extra=_extra(item),
    )


def _sender(
    item: Event | Response | Inference, accelerator: object, post: _Post, problems: list[Problem]
) -> Sender | None:
    """Return who sent an item; mostly that is who sent all of its batch, and then it is made once."""
    own = msgspec.structs.astuple(item)[:FACTS]
    if own == NO_FACTS and (accelerator is None or accelerator == post.context.accelerator):
        post.shared = post.shared or _make_sender(msgspec.structs.astuple(post.context), post, problems)
        return post.shared
    theirs = msgspec.structs.astuple(post.context)
    mixed = [mine if mine is not None else other for mine, other in zip((*own, accelerator), theirs, strict=True)]
    return _make_sender(mixed, post, problems)


def _make_sender(facts: Sequence[Any], post: _Post, problems: list[Problem]) -> Sender | None:
    """Make a Sender of facts in the order of Context's fields."""
    install, *device_facts, model, given, accelerator = facts
    if not install:
        problems.append(Problem("context.install", "is missing"))
        return None
    told = (*device_facts, accelerator, *(getattr(model, name, None) for name in MODEL_FACTS))
    try:
        device, key, group = _device(told)
    except TypeError:  # a fact that is a list or an object: it cannot be looked up, and is not told
        device, key, group = _device(tuple(fact if isinstance(fact, PLAIN) else None for fact in told))
    is_offered = model is not None and model.release is not None and model.arm in ("baseline", "candidate")
    return Sender(
        app=post.app,
        install=pseudonymize(install, post.house.hash_key),
        device=device,
        context=key,
        stratum=group,
        release=model.release if is_offered else None,
        arm=model.arm if is_offered else None,
        consent=Consent(granted=given.granted, text_version=given.text_version, at=given.at) if given else None,
    )


@lru_cache(maxsize=16_384)
def _device(facts: tuple[object, ...]) -> tuple[DeviceContext, str, str]:
    device = DeviceContext.from_wire({name: fact for name, fact in zip(NAMES, facts, strict=True) if fact is not None})
    return device, context_id(device), stratum(device)


def _skew(sent_at: datetime | None, now: datetime) -> timedelta:
    """Return what to add to the phone's moments, in whole seconds; nothing if its clock is about right."""
    if sent_at is None:
        return timedelta(0)
    skew = now - sent_at
    return timedelta(0) if abs(skew) <= SKEW_TOLERATED else timedelta(seconds=round(skew.total_seconds()))


def _moment(told: datetime, path: str, post: _Post, days: int, problems: list[Problem]) -> datetime | None:
    """Return the corrected moment; a little ahead of us is now."""
    now = post.now
    try:
        moment = told.astimezone(UTC) + post.skew
    except OverflowError:
        problems.append(Problem(path, "is no moment of this age"))
        return None
    if moment > now + AHEAD_TOLERATED:
        problems.append(Problem(path, f"is in the future: {moment:%Y-%m-%dT%H:%M:%SZ}, and here it is {now:%H:%M:%SZ}"))
        return None
    if moment < now - timedelta(days=days):
        problems.append(Problem(path, f"is older than the {days} days that are kept"))
        return None
    return min(moment, now)


def _consent_missing(poll: Poll, consent: Consent | None) -> list[Problem]:
    wanted = poll.consent
    if not wanted.required:
        return []
    if consent is None or not consent.granted:
        return [Problem("context.consent.granted", f"must be true: {poll.id} asks for consent")]
    if wanted.text_version is not None and consent.text_version != wanted.text_version:
        return [Problem("context.consent.text_version", f"must be {wanted.text_version}, the text {poll.id} shows")]
    return []


def _unknown_poll(item: Event | Response, app: str, house: House) -> Problem:
    latest = house.find_poll(app, item.poll, None)
    if latest is None:
        return Problem("poll", f"there is no poll {item.poll!r} that was ever started")
    return Problem("poll_version", f"{item.poll} has no version {item.poll_version}; the latest is {latest.latest}")


def _answers(
    known: KnownPoll, given: Sequence[AnswerGiven], house: House, problems: list[Problem]
) -> tuple[Answer, ...]:
    keys = [(each.question, type(each.value), each.value, each.mechanism, each.epsilon) for each in given]
    if len(given) == 1 and isinstance(given[0].value, str | int) and (found := known.read.get(keys[0])):
        return (found,)
    wrong = polls.check_answers(known.poll, [_plain(answer) for answer in given])
    problems += wrong
    if wrong:
        return ()
    read = tuple(_answer(known, answer, house) for answer in given)
    for key, answer in zip(keys, read, strict=True):
        if answer.sealed is None and isinstance(key[2], str | int):
            known.read[key] = answer
    return read


def _plain(answer: AnswerGiven) -> Mapping[str, object]:
    privacy = {name: getattr(answer, name) for name in ("mechanism", "epsilon") if getattr(answer, name) is not None}
    return {"question": answer.question, "value": answer.value, **privacy}


def _answer(known: KnownPoll, given: AnswerGiven, house: House) -> Answer:
    question = polls.find_question(known.poll, given.question)
    assert question is not None
    read = polls.read_answer(question, given.value)
    assert not isinstance(read, str)
    value: object = read.number
    if question.type in CHOOSING:
        # What somebody wrote is sealed; that they wrote something is a choice of its own.
        chosen = sorted({*read.choices, *(["other"] if read.text else [])})
        value = chosen[0] if question.type == "single_choice" else chosen
    return Answer(
        question=question.id,
        kind=question.type,
        is_primary=question.id == known.primary,
        value=None if value is None else json.dumps(value, separators=(",", ":")),
        sealed=seal(scrub(read.text.replace("\0", "")), house.secret_key) if read.text else None,
        mechanism=given.mechanism,
        epsilon=given.epsilon,
    )


def _merged(buckets: Mapping[str, int]) -> dict[int, int]:
    merged: dict[int, int] = {}
    for bucket, n in buckets.items():
        if n:
            merged[int(bucket)] = merged.get(int(bucket), 0) + n
    return merged


def _extra(item: Inference) -> dict[str, Any]:
    """Return what is kept of a roll-up but not counted by."""
    names = ("accelerator", "confidence", "outputs", "peak_rss_mb", "battery_pct", "thermal", "update")
    extra = {name: getattr(item, name) for name in names if getattr(item, name) is not None}
    if item.confidence and (mean := _mean(item.confidence)) is not None:
        extra["confidence_mean"] = mean
    if item.errors.model_load:
        extra["model_load_errors"] = item.errors.model_load
    if item.latency_ms:
        extra["latency_ms"] = {"sum": item.latency_ms.sum, "max": item.latency_ms.max}
    return cast(dict[str, Any], msgspec.to_builtins(extra))


def _mean(histogram: Confidence) -> float | None:
    """Return the mean of the bins' middles; None when nothing was counted or the edges are no confidences (0..1)."""
    counted = sum(histogram.counts)
    if not counted or not all(0 <= edge <= 1 for edge in histogram.edges):
        return None
    middles = ((low + high) / 2 for low, high in itertools.pairwise(histogram.edges))
    return round(sum(n * middle for n, middle in zip(histogram.counts, middles, strict=True)) / counted, 4)
