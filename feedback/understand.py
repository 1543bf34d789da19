"""Turns what a phone sent into what is stored, or into all of its problems. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from core.errors import Problem
from feedback.answers import consent_missing, read_answers
from feedback.posts import House, Post, moment_of, sender_of
from feedback.responses import EventKind, PollEvent
from feedback.telemetry import Summary
from feedback.unpack import Parcel, Unreadable
from feedback.wire import AcceleratorUse, Confidence, Event, Inference, Response

KINDS: Final[Mapping[str, EventKind]] = {
    "poll shown": "shown",
    "poll answered": "answered",
    "poll dismissed": "dismissed",
    "poll abandoned": "abandoned",
}


class _Unkeepable(Exception):  # noqa: N818 (never leaves this module)
    def __init__(self, *problems: Problem) -> None:
        self.problems = problems


def understand(parcel: Parcel, *, app: str, now: datetime, house: House) -> list[PollEvent | Summary | Unreadable]:
    """Return each item as it will be stored, or what is wrong with it, in the order they were sent."""
    post = Post(parcel, app, now, house)
    return [_understand(item, post) for item in parcel.items]


def _understand(item: Event | Response | Inference | Unreadable, post: Post) -> PollEvent | Summary | Unreadable:
    if isinstance(item, Unreadable):
        return item
    try:
        return _summary(item, post) if isinstance(item, Inference) else _event(item, post)
    except _Unkeepable as error:
        return Unreadable(uuid=item.uuid, problems=error.problems)


def _event(item: Event | Response, post: Post) -> PollEvent:
    assert item.timestamp
    assert item.submission
    problems: list[Problem] = []
    sender = sender_of(item, item.accelerator, post, problems)
    known = post.house.find_poll(post.app, item.poll, item.poll_version)
    if known is None:
        raise _Unkeepable(*problems, _unknown_poll(item, post.app, post.house))
    days = min(post.house.retention_days, known.poll.retention_days or post.house.retention_days)
    at = moment_of(item.timestamp, "timestamp", post, days, problems)
    answers = read_answers(known, item.answers, problems, secret_key=post.house.secret_key)
    if item.event == "poll answered" and not item.answers:
        problems.append(Problem("answers", "must have at least one answer"))
    if item.event == "poll answered" or item.answers:
        problems += consent_missing(known.poll, sender.consent if sender else None)
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


def _summary(item: Inference, post: Post) -> Summary:
    problems: list[Problem] = []
    use = item.accelerator
    used = use if isinstance(use, AcceleratorUse) else AcceleratorUse()
    # A cohort is what was asked for: by what was used, every fallback would be the CPU's.
    asked = (used.requested or post.context.accelerator or used.used) if use is used else use
    sender = sender_of(item, asked, post, problems)
    start = moment_of(item.window_start, "window_start", post, post.house.retention_days, problems)
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


def _unknown_poll(item: Event | Response, app: str, house: House) -> Problem:
    latest = house.find_poll(app, item.poll, None)
    if latest is None:
        return Problem("poll", f"there is no poll {item.poll!r} that was ever started")
    return Problem("poll_version", f"{item.poll} has no version {item.poll_version}; the latest is {latest.latest}")


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
