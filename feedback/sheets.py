"""Sheets: all that one install was shown and said of one poll in one month (UTC), on one kind of device, in one row.

A sheet holds, for each thing that was told ("shown"; 4 to a question), the moments at which it was, in order. So it is
the same whatever came first or twice, one moment can be taken out again, and people are counted exactly: a report reads
a row for each install and none for each answer. Pure.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import insort
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

RECORD: Final = struct.Struct(">qQ")
"""When (microseconds since 1970) and in which submission (a hash of install and submission)."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Stands in no JSON and no id, so that what is joined by it can be parted again.
_BETWEEN: Final = "\x1f"

_encode = msgspec.msgpack.Encoder(order="sorted").encode
unpack = msgspec.msgpack.Decoder(dict[str, bytes]).decode


class Place(NamedTuple):
    """The key of a sheet; `month` is 202611."""

    app: str
    model: str
    month: int
    poll: str
    context: str
    install: str


class Entry(NamedTuple):
    """One moment of a sheet. `told` is the kind of an event, or an `AnswerTold` joined."""

    place: Place
    told: str
    record: bytes


class AnswerTold(NamedTuple):
    """What was answered to which question; `value` is canonical JSON."""

    question: str
    kind: str
    is_primary: bool
    value: str
    mechanism: str | None
    epsilon: float | None


def of_event(place: Place, kind: str, *, at: datetime, submission: str) -> Entry:
    return Entry(place, kind, _record(place, at, submission))


def of_answer(place: Place, answer: AnswerTold, *, at: datetime, submission: str) -> Entry:
    epsilon = "" if answer.epsilon is None else repr(answer.epsilon)
    facts = (answer.question, answer.kind, "1" if answer.is_primary else "", answer.value, answer.mechanism or "")
    return Entry(place, _BETWEEN.join((*facts, epsilon)), _record(place, at, submission))


def answer_of(told: str) -> AnswerTold | None:
    """Return what was answered; None for the kind of an event."""
    if _BETWEEN not in told:
        return None
    question, kind, is_primary, value, mechanism, epsilon = told.split(_BETWEEN)
    return AnswerTold(question, kind, bool(is_primary), value, mechanism or None, float(epsilon) if epsilon else None)


def changed(packed: bytes | None, changes: Mapping[tuple[str, bytes], int]) -> bytes | None:
    """Return a sheet with records (of what was told) put in so many times, or taken out; None when it is empty.

    What is not there is not taken out.
    """
    records = {told: _parted(all_) for told, all_ in unpack(packed).items()} if packed else {}
    for (told, record), times in changes.items():
        mine = records.setdefault(told, [])
        for _ in range(times):
            insort(mine, record)
        for _ in range(-times):
            if record in mine:
                mine.remove(record)
    left = {told: b"".join(mine) for told, mine in records.items() if mine}
    return _encode(left) if left else None


def month_of(moment: datetime) -> int:
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.year * 100 + utc.month


def microseconds(moment: datetime) -> int:
    """Return the moment as records have it."""
    return (moment - EPOCH) // _MICROSECOND


def _record(place: Place, at: datetime, submission: str) -> bytes:
    return RECORD.pack(microseconds(at), _digest(place.install, submission))


@lru_cache(maxsize=1024)  # an event and its answers come one after the other
def _digest(install: str, submission: str) -> int:
    name = f"{install}{_BETWEEN}{submission}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def _parted(records: bytes) -> list[bytes]:
    return [records[start : start + RECORD.size] for start in range(0, len(records), RECORD.size)]
