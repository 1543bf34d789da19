"""What all items of one request share: whose they are, who sent them, and how far the phone's clock is off.

An install id becomes a pseudonym, the phone's moments are corrected. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec

from core.arms import ARMS
from core.device import DeviceContext
from core.errors import Problem
from core.privacy import pseudonymize
from feedback.answers import KnownPoll
from feedback.responses import Consent, Sender, context_id, stratum
from feedback.unpack import Parcel
from feedback.wire import Event, Facts, Inference, Response

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


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What is needed to understand a phone; `find_poll(app, id, version)` gives the latest version for None."""

    hash_key: bytes
    secret_key: bytes
    retention_days: int
    find_poll: Callable[[str, str, int | None], KnownPoll | None]


class Post:
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


def sender_of(
    item: Event | Response | Inference, accelerator: object, post: Post, problems: list[Problem]
) -> Sender | None:
    """Return who sent an item; mostly that is who sent all of its batch, and then it is made once."""
    own = msgspec.structs.astuple(item)[:FACTS]
    if own == NO_FACTS and (accelerator is None or accelerator == post.context.accelerator):
        post.shared = post.shared or _make_sender(msgspec.structs.astuple(post.context), post, problems)
        return post.shared
    theirs = msgspec.structs.astuple(post.context)
    mixed = [mine if mine is not None else other for mine, other in zip((*own, accelerator), theirs, strict=True)]
    return _make_sender(mixed, post, problems)


def _make_sender(facts: Sequence[Any], post: Post, problems: list[Problem]) -> Sender | None:
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
    is_offered = model is not None and model.release is not None and model.arm in ARMS
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


def moment_of(told: datetime, path: str, post: Post, days: int, problems: list[Problem]) -> datetime | None:
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
