"""Turns what a phone sent into what is stored, or into all of its problems.

An install id becomes a pseudonym, the phone's clock is corrected, texts are sealed, answers checked by their poll.
Pure.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from feedback.responses import Answer, Arm, Consent, EventKind, PollEvent, Sender, context_id, stratum
from feedback.telemetry import Summary
from feedback.unpack import Parcel, Unreadable
from feedback.wire import AcceleratorUse, AnswerGiven, Confidence, Context, Event, Facts, Inference

# A request that took a minute to arrive (or was sent again) says nothing about the phone's clock.
SKEW_TOLERATED: Final = timedelta(seconds=60)
AHEAD_TOLERATED: Final = timedelta(minutes=5)

DEVICE_FACTS: Final = tuple(
    (field.name, field.encode_name)
    for field in msgspec.structs.fields(Context)
    if field.name not in ("install", "model", "consent")
)
MODEL_FACTS: Final = ("name", "version", "variant")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPoll:
    """One version of a poll, the model it is about, and its latest version."""

    poll: Poll
    model: str
    primary: str
    latest: int


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
    return [_understand(item, parcel, app, now, house) for item in parcel.items]


def _understand(
    item: Event | Inference | Unreadable, parcel: Parcel, app: str, now: datetime, house: House
) -> PollEvent | Summary | Unreadable:
    if isinstance(item, Unreadable):
        return item
    skew = _skew(parcel.sent_at, now)
    try:
        if isinstance(item, Event):
            return _event(item, parcel.context, app, now, skew, house)
        return _summary(item, parcel.context, app, now, skew, house)
    except _Unkeepable as error:
        return Unreadable(uuid=item.uuid, problems=error.problems)


def _event(item: Event, context: Context, app: str, now: datetime, skew: timedelta, house: House) -> PollEvent:
    problems: list[Problem] = []
    sender = _sender(item, context, app, house, problems)
    known = house.find_poll(app, item.poll, item.poll_version)
    if known is None:
        raise _Unkeepable(*problems, _unknown_poll(item, app, house))
    days = min(house.retention_days, known.poll.retention_days)
    at = _moment(item.timestamp, "timestamp", now, skew, days, problems)
    answers = [_plain(answer) for answer in item.answers]
    problems += polls.check_answers(known.poll, answers)
    if item.event == "poll answered":
        problems += [] if answers else [Problem("answers", "must have at least one answer")]
        problems += _consent_missing(known.poll, sender.consent if sender else None)
    if problems or sender is None or at is None:
        raise _Unkeepable(*problems)
    return PollEvent(
        uuid=item.uuid,
        sender=sender,
        kind=cast(EventKind, item.event.removeprefix("poll ")),
        poll=known.poll.id,
        poll_version=known.poll.version,
        model=known.model,
        submission=item.submission,
        at=at,
        skew_s=int(skew.total_seconds()),
        received_at=now,
        completed=item.completed,
        language=item.language,
        inference=item.inference,
        answers=tuple(_answer(known, answer, house) for answer in item.answers),
    )


def _summary(item: Inference, context: Context, app: str, now: datetime, skew: timedelta, house: House) -> Summary:
    problems: list[Problem] = []
    sender = _sender(item, context, app, house, problems)
    start = _moment(item.window_start, "window_start", now, skew, house.retention_days, problems)
    if sender is not None and sender.device.model is None:
        problems.append(Problem("context.model.name", "is missing: inferences of which model?"))
    histogram = item.confidence
    if histogram and len(histogram.edges) != len(histogram.counts) + 1:
        problems.append(Problem("confidence.counts", "must be one fewer than edges"))
    if problems or sender is None or start is None:
        raise _Unkeepable(*problems)
    used = item.accelerator if isinstance(item.accelerator, AcceleratorUse) else AcceleratorUse()
    latency = item.latency_ms.buckets if item.latency_ms else {}
    return Summary(
        uuid=item.uuid,
        sender=sender,
        model=str(sender.device.model),
        window_start=start,
        window_s=item.window_s,
        skew_s=int(skew.total_seconds()),
        received_at=now,
        count=item.count,
        crashes=item.errors.crash,
        timeouts=item.errors.timeout,
        invalid=item.errors.input_invalid,
        fell_back=used.fallback_reason is not None or (used.used or used.requested) != (used.requested or used.used),
        latency=_merged(latency),
        extra=_extra(item),
    )


def _sender(
    item: Event | Inference, context: Context, app: str, house: House, problems: list[Problem]
) -> Sender | None:
    install = item.install or context.install
    if not install:
        problems.append(Problem("context.install", "is missing"))
        return None
    model = item.model or context.model
    device, key, group = _device(_facts(item, context))
    is_offered = model is not None and model.release is not None and model.arm in ("baseline", "candidate")
    given = item.consent or context.consent
    consent = Consent(granted=given.granted, text_version=given.text_version, at=given.at) if given else None
    return Sender(
        app=app,
        install=pseudonymize(install, house.hash_key),
        device=device,
        context=key,
        stratum=group,
        release=model.release if model and is_offered else None,
        arm=cast(Arm, model.arm) if model and is_offered else None,
        consent=consent,
    )


def _facts(item: Event | Inference, context: Context) -> tuple[object, ...]:
    """Return the device's facts in the order of DEVICE_FACTS and MODEL_FACTS; an item's own override the batch's."""
    told: list[object] = []
    for name, _ in DEVICE_FACTS:
        own = getattr(item, name)
        if isinstance(own, AcceleratorUse):
            # A cohort is what was asked for: by what was used, every fallback would be the CPU's.
            own = own.requested or getattr(context, name) or own.used
        told.append(getattr(context, name) if own is None else own)
    model: Facts | Any = item.model or context.model
    told += [getattr(model, name) if model else None for name in MODEL_FACTS]
    return tuple(fact if isinstance(fact, str | int | float) else None for fact in told)


@lru_cache(maxsize=16_384)
def _device(facts: tuple[object, ...]) -> tuple[DeviceContext, str, str]:
    names = [wire for _, wire in DEVICE_FACTS] + [f"model.{name}" for name in MODEL_FACTS]
    device = DeviceContext.from_wire({name: fact for name, fact in zip(names, facts, strict=True) if fact is not None})
    return device, context_id(device), stratum(device)


def _skew(sent_at: datetime | None, now: datetime) -> timedelta:
    """Return what to add to the phone's moments, in whole seconds; nothing if its clock is about right."""
    if sent_at is None:
        return timedelta(0)
    skew = now - sent_at
    return timedelta(0) if abs(skew) <= SKEW_TOLERATED else timedelta(seconds=round(skew.total_seconds()))


def _moment(
    told: datetime, path: str, now: datetime, skew: timedelta, days: int, problems: list[Problem]
) -> datetime | None:
    """Return the corrected moment; a little ahead of us is now."""
    try:
        moment = told.astimezone(UTC) + skew
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


def _unknown_poll(item: Event, app: str, house: House) -> Problem:
    latest = house.find_poll(app, item.poll, None)
    if latest is None:
        return Problem("poll", f"there is no poll {item.poll!r} that was ever started")
    return Problem("poll_version", f"{item.poll} has no version {item.poll_version}; the latest is {latest.latest}")


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
