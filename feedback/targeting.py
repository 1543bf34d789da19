"""Who sees a poll: sampling by hash, frequency, quotas, and gate by gate why an install does or does not. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from core.device import DeviceContext
from core.segment_rules import SYMBOLS
from core.segments import EVERYONE, All, Segment, fields_of, matches, text
from feedback.polls import Poll, Quota, Sampling, is_open, is_over, iteration_start

BUCKETS: Final = 1_000_000
BUCKETS_PER_PERCENT: Final = 10_000
GateName = Literal[
    "running",
    "targeting",
    "sampling",
    "consent",
    "display_limit",
    "cooldown",
    "recontact",
    "quotas",
    "responses_limit",
    "trigger",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known of an install and a poll.

    `quota_responses` are the responses counted so far in the install's group of each quota, in the poll's order;
    `responses` all of the poll's. `shown` are the impressions of this poll, `any_poll_shown` the last one of any.
    """

    shown: tuple[datetime, ...] = ()
    answered: datetime | None = None
    any_poll_shown: datetime | None = None
    consent_text_version: str | None = None
    has_consented: bool = False
    responses: int = 0
    quota_responses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One condition and a sentence why. `passed` is None where only the phone can know."""

    name: GateName
    passed: bool | None
    sentence: str


def bucket(salt: str, install: str) -> int:
    """Return the place of an install in 0..999 999: the first 8 bytes of sha256("salt:install"), big-endian, modulo.

    tests/vectors/sampling.json holds examples for other languages.
    """
    digest = hashlib.sha256(f"{salt}:{install}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def is_sampled(sampling: Sampling, install: str) -> bool:
    """Return whether the install is among the sampled percent; whoever is stays so when the percentage grows."""
    return bucket(sampling.salt, install) < threshold(sampling)


def threshold(sampling: Sampling) -> int:
    """Return the bucket from which on installs are not sampled; one is 0.0001 %, and half of one counts as one.

    Not `round`, which is another one in each language.
    """
    return math.floor(sampling.percent * BUCKETS_PER_PERCENT + 0.5)


def quota_group(quota: Quota, device: DeviceContext) -> tuple[str, ...]:
    """Return the group of the device under a quota; a fact that was not told is "unknown"."""
    return tuple(device.label(field) or "unknown" for field in quota.by)


def explain(poll: Poll, install: str, device: DeviceContext, history: History, now: datetime) -> tuple[Gate, ...]:
    """Return every gate between the poll and this install, in the order in which phones check them."""
    history = in_iteration(history, iteration_start(poll, now))
    return (
        _running(poll, now),
        _targeting(poll, device),
        _sampling(poll, install),
        _consent(poll, history),
        _display_limit(poll, history),
        _cooldown(poll, history, now),
        _recontact(poll, history, now),
        _quotas(poll, device, history),
        _responses_limit(poll, history),
        _trigger(poll),
    )


def in_iteration(history: History, start: datetime | None) -> History:
    """Return what counts in the iteration that began at `start`: earlier showings and answers of this poll do not."""
    if start is None:
        return history
    answered = history.answered if history.answered is not None and history.answered >= start else None
    return replace(history, shown=tuple(at for at in history.shown if at >= start), answered=answered)


def is_shown(gates: Sequence[Gate]) -> bool:
    """Return whether no gate is shut; the trigger is up to the phone."""
    return all(gate.passed is not False for gate in gates)


def _running(poll: Poll, now: datetime) -> Gate:
    if is_open(poll, now):
        until = f" until {poll.end_date:%Y-%m-%d %H:%M} UTC" if poll.end_date else ""
        return Gate(name="running", passed=True, sentence=f"The poll is running{until}.")
    if poll.status != "running":
        sentence = f"The poll is {'a draft' if poll.status == 'draft' else 'stopped'}, not running."
    elif poll.start_date and now < poll.start_date:
        sentence = f"The poll starts only on {poll.start_date:%Y-%m-%d %H:%M} UTC."
    elif is_over(poll, now):
        sentence = "All iterations of the poll are over."
    else:
        sentence = f"The poll ended on {poll.end_date:%Y-%m-%d %H:%M} UTC."
    return Gate(name="running", passed=False, sentence=sentence)


def _targeting(poll: Poll, device: DeviceContext) -> Gate:
    if poll.targeting == EVERYONE:
        return Gate(name="targeting", passed=True, sentence="The poll is for everyone.")
    if matches(poll.targeting, device):
        return Gate(name="targeting", passed=True, sentence=f"The device matches {text(poll.targeting)}.")
    parts = poll.targeting.parts if isinstance(poll.targeting, All) else (poll.targeting,)
    missed = [_missed(part, device) for part in parts if not matches(part, device)]
    return Gate(name="targeting", passed=False, sentence=f"The device does not match {'; nor '.join(missed)}.")


def _missed(part: Segment, device: DeviceContext) -> str:
    told = [f"{field} is {device.label(field) or 'not told'}" for field in sorted(fields_of(part))]
    return f"“{text(part)}” ({', '.join(told)})"


def _sampling(poll: Poll, install: str) -> Gate:
    percent = f"{poll.sampling.percent:g} %"
    if poll.sampling.percent >= 100:
        return Gate(name="sampling", passed=True, sentence="All installs are asked.")
    place, limit = bucket(poll.sampling.salt, install), threshold(poll.sampling)
    passed = place < limit
    where = "is under" if passed else "is not under"
    sentence = f"{percent} of installs are asked: this one's bucket {place} of {BUCKETS} {where} {limit}."
    return Gate(name="sampling", passed=passed, sentence=sentence)


def _consent(poll: Poll, history: History) -> Gate:
    wanted = poll.consent.text_version
    if not poll.consent.required:
        return Gate(name="consent", passed=True, sentence="No consent is needed.")
    if not history.has_consented:
        return Gate(name="consent", passed=False, sentence="Consent is needed and was not given.")
    if wanted is not None and history.consent_text_version != wanted:
        given = history.consent_text_version or "no version"
        return Gate(name="consent", passed=False, sentence=f"Consent is needed to text {wanted}; given was {given}.")
    return Gate(name="consent", passed=True, sentence="Consent was given.")


def _display_limit(poll: Poll, history: History) -> Gate:
    limit, times = poll.frequency.display_limit, len(history.shown)
    if limit is None:
        return Gate(name="display_limit", passed=True, sentence="The poll may be shown any number of times.")
    sentence = f"The poll was shown {times} of at most {limit} times."
    return Gate(name="display_limit", passed=times < limit, sentence=sentence)


def _cooldown(poll: Poll, history: History, now: datetime) -> Gate:
    last, days = history.any_poll_shown, poll.frequency.cooldown_days
    if last is None or days is None:
        return Gate(name="cooldown", passed=True, sentence="No poll was shown too recently.")
    return _wait("cooldown", "A poll was last shown", last, days, now)


def _recontact(poll: Poll, history: History, now: datetime) -> Gate:
    days = poll.frequency.recontact_days
    if history.answered is None:
        return Gate(name="recontact", passed=True, sentence="This install has not answered the poll.")
    if days is None:
        return Gate(name="recontact", passed=False, sentence="This install has answered the poll, which asks once.")
    return _wait("recontact", "This install answered", history.answered, days, now)


def _wait(name: GateName, what: str, last: datetime, days: int, now: datetime) -> Gate:
    free = last + timedelta(days=days)
    sentence = f"{what} on {last:%Y-%m-%d %H:%M} UTC; {days} days later is {free:%Y-%m-%d %H:%M} UTC."
    return Gate(name=name, passed=now >= free, sentence=sentence)


def _quotas(poll: Poll, device: DeviceContext, history: History) -> Gate:
    counted = [*history.quota_responses, *[0] * len(poll.quotas)]
    for quota, responses in zip(poll.quotas, counted, strict=False):
        if responses >= quota.limit:
            group = ", ".join(quota_group(quota, device))
            sentence = f"Enough devices like this one ({group}) have answered: {responses} of {quota.limit}."
            return Gate(name="quotas", passed=False, sentence=sentence)
    what = "There is room in every quota." if poll.quotas else "The poll has no quotas."
    return Gate(name="quotas", passed=True, sentence=what)


def _responses_limit(poll: Poll, history: History) -> Gate:
    limit = poll.responses_limit
    if limit is None:
        return Gate(name="responses_limit", passed=True, sentence="The poll takes any number of responses.")
    sentence = f"The poll has {history.responses} of at most {limit} responses."
    return Gate(name="responses_limit", passed=history.responses < limit, sentence=sentence)


def _trigger(poll: Poll) -> Gate:
    if poll.trigger is None:
        return Gate(name="trigger", passed=True, sentence="The app may show the poll at any time.")
    when = poll.trigger.when
    condition = f" with {when.field}{SYMBOLS[when.operator]}{when.value}" if when else ""
    sentence = f"The app shows the poll after {poll.trigger.event}{condition}; only the phone sees that."
    return Gate(name="trigger", passed=None, sentence=sentence)
