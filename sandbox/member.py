"""One member of the fleet: a phone, the person who owns it, the clock it goes by and the line it is connected by."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from sandbox import population
from sandbox.phone import Phone
from sandbox.population import Handset
from sandbox.wire import LostReplyError, Reply, Transport

CONSENT = "2026-10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How phones behave; every share is 0..1. The same seed gives the same phones, hours, answers and uuids.

    A phone asks once in `check_in_hours` which variant to run, and once a day which polls there are. `offline_daily`
    is the chance that a spell of 2 to 30 hours without a network begins on a day.
    """

    phones: int = 1500
    seed: int = 7
    answers_share: float = 0.6
    dismisses_share: float = 0.25
    lost_replies_share: float = 0.03
    offline_daily: float = 0.12
    wrong_clock_share: float = 0.04
    check_in_hours: int = 6
    threads: int = 6


class Line:
    """A phone's connection. When it `loses_next`, the request arrives but its reply does not come back."""

    def __init__(self, transport: Transport) -> None:
        self.loses_next = False
        self.lost: list[Reply] = []
        self._transport = transport

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        reply = self._transport(method, path, headers, body)
        if self.loses_next and path == "/v1/batch" and reply.status == 200:
            self.loses_next = False
            self.lost.append(reply)
            raise LostReplyError("lost on the way back")
        return reply


class Watch:
    """A phone's own clock, `skew` ahead of the world's."""

    def __init__(self, now: datetime, skew: timedelta) -> None:
        self.world = now
        self.skew = skew

    def __call__(self) -> datetime:
        return self.world + self.skew


@dataclass(slots=True, kw_only=True)
class Member:
    """A phone together with the person who owns it."""

    number: int
    phone: Phone
    handset: Handset
    watch: Watch
    rng: np.random.Generator
    keenness: float
    turn: int
    offline_until: datetime
    line: Line
    updated_at: datetime
    polls_at: datetime | None = None
    answered: set[str] = field(default_factory=set)


def draw(
    number: int,
    manner: Manner,
    *,
    app: str,
    key: str,
    transport: Transport,
    start: datetime,
    bundle_key: str | None = None,
) -> Member:
    """Return the phone of this number; it depends on the seed and the number alone."""
    rng = np.random.default_rng([manner.seed, number])
    handset = population.draw(rng)
    watch = Watch(start, _skew(rng, manner))
    line = Line(transport)
    phone = Phone(
        install=_uuid(rng, start),
        app=app,
        context={**handset.context, "consent": {"granted": True, "text_version": CONSENT}},
        key=key,
        transport=line,
        clock=watch,
        new_uuid=lambda: _uuid(rng, watch()),
        bundle_key=bundle_key,
    )
    return Member(
        number=number,
        phone=phone,
        handset=handset,
        watch=watch,
        rng=rng,
        keenness=float(rng.gamma(4.0, 0.25)),
        turn=number % manner.check_in_hours,
        offline_until=start,
        line=line,
        updated_at=start,
    )


def _skew(rng: np.random.Generator, manner: Manner) -> timedelta:
    if rng.random() < manner.wrong_clock_share:
        return timedelta(minutes=float(rng.uniform(-26 * 60, 26 * 60)))
    return timedelta(seconds=float(rng.normal(0, 2)))


def _uuid(rng: np.random.Generator, now: datetime) -> str:
    """Return a version 7 uuid: milliseconds, then chance. RFC 9562."""
    chance = int.from_bytes(rng.bytes(10), "big")
    number = int(now.timestamp() * 1000) << 80 | chance
    number = number & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=number & ~(0x3 << 62) | 2 << 62))
