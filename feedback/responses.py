"""What a phone says about polls, once understood: PollEvent with its Answers, and how partial ones merge. Pure.

These are structs and no dataclasses, because they wait packed in the inbox. Packed, a struct is the list of its values:
a new field goes to the end and has a default, so that what an older process left there can still be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from core.arms import ArmName
from core.device import WIRE_NAMES, DeviceContext
from core.privacy import InstallHash

EventKind = Literal["shown", "answered", "dismissed", "abandoned"]

CONTEXT_FIELDS: Final = tuple(WIRE_NAMES)
PLATFORMS: Final = frozenset({"android", "ios"})
TIERS: Final = frozenset({"low", "mid", "high"})


class Consent(Struct, frozen=True, kw_only=True, array_like=True):
    granted: bool
    text_version: str | None
    at: datetime | None


class Sender(Struct, frozen=True, kw_only=True, array_like=True):
    """Who sends: the install (a pseudonym), its device, and the release and arm its model came by."""

    app: str
    install: InstallHash
    device: DeviceContext
    context: str
    stratum: str
    release: str | None
    arm: ArmName | None
    consent: Consent | None


class Answer(Struct, frozen=True, kw_only=True, array_like=True):
    """`value` is canonical JSON (of a number, a choice, or sorted choices); `sealed` is encrypted free text."""

    question: str
    kind: str
    is_primary: bool
    value: str | None
    sealed: str | None
    mechanism: str | None
    epsilon: float | None


class PollEvent(Struct, frozen=True, kw_only=True, array_like=True):
    """One poll shown, answered or dismissed; `at` is corrected for the phone's clock by `skew_s`."""

    uuid: str
    sender: Sender
    kind: EventKind
    poll: str
    poll_version: int
    model: str
    submission: str
    at: datetime
    skew_s: int
    received_at: datetime
    completed: bool | None
    language: str | None
    inference: str | None
    answers: tuple[Answer, ...]


AnswerKey = tuple[str, str, str, str]


def answer_key(event: PollEvent, answer: Answer) -> AnswerKey:
    """Return app, install, submission and question: what an answer answers."""
    return event.sender.app, event.sender.install, event.submission, answer.question


def latest(events: Iterable[PollEvent]) -> dict[AnswerKey, tuple[PollEvent, Answer]]:
    """Return for each question of each submission the answer that stands: of the latest event, whatever the order.

    Of two events at the same moment the greater uuid stands.
    """
    standing: dict[AnswerKey, tuple[PollEvent, Answer]] = {}
    for event in events:
        for answer in event.answers:
            key = answer_key(event, answer)
            found = standing.get(key)
            if found is None or (found[0].at, found[0].uuid) < (event.at, event.uuid):
                standing[key] = (event, answer)
    return standing


def stratum(device: DeviceContext) -> str:
    """Return the coarse group the arms are compared within, `android/low`: 3 platforms × 4 tiers, so at most 12."""
    platform = device.platform if device.platform in PLATFORMS else "other"
    tier = (device.tier or "").lower()
    return f"{platform}/{tier if tier in TIERS else 'unknown'}"


def context_id(device: DeviceContext) -> str:
    """Return the id of a context: 128 bits of a hash of its facts."""
    facts = "\x1f".join("" if fact is None else str(fact) for fact in (device.value(each) for each in CONTEXT_FIELDS))
    return hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()
