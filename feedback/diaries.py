"""Diaries: what one install told of its hours in one arm of a release, a month (UTC) in one row.

An hour has one record on each kind of device, with the worst that was told of it. So it is the same whatever came first
or twice, and guardrails and looks count an install's hour once: one bad phone must not decide a release. Pure.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from core.arms import ArmName
from feedback.sheets import month_of
from feedback.telemetry import BATTERY, CONFIDENCE, Summary, harms

RECORD: Final = struct.Struct(">HBhhh")
"""The hour of the month, then what was told of it. Big-endian, so that records in order are bytes in order."""
# What was not told stands where nothing is worse.
NO_P95: Final = -32_768
NO_BATTERY: Final = -32_768
NO_CONFIDENCE: Final = 32_767
MOST_PARTS: Final = 30_000
HOUR: Final = timedelta(hours=1)
OF_EXTRA: Final = {CONFIDENCE: ("confidence_mean", 100), BATTERY: ("battery_pct", 10)}
"""What a phone tells of an hour beside its counts: where it is kept, and into how many parts a unit is cut."""


class Told(NamedTuple):
    """What was told of an hour: `harms` is a bit for each of HARMS, `p95` a log2x4 bucket, `confidence` hundredths,
    `battery` tenths of a percent."""

    harms: int
    p95: int
    confidence: int
    battery: int


class Place(NamedTuple):
    """The key of a diary; `month` is 202611."""

    app: str
    release: str
    month: int
    install: str
    arm: ArmName


class Entry(NamedTuple):
    """What a summary adds to a diary; `hour` counts from the month's begin."""

    place: Place
    context: str
    stratum: str
    hour: int
    told: Told


class HourChange(NamedTuple):
    """An install's hour in a stratum, whatever its kinds of device: what was told of it (None: nothing) and is now."""

    place: Place
    stratum: str
    hour: datetime
    before: Told | None
    after: Told


class Page(msgspec.Struct, array_like=True):
    """The records of one context, in the order of their hours."""

    stratum: str
    records: bytes


_encode = msgspec.msgpack.Encoder(order="sorted").encode
unpack = msgspec.msgpack.Decoder(dict[str, Page]).decode


def of_summary(summary: Summary, p95: int | None) -> Entry | None:
    """Return what a summary adds, its latencies having this p95; None if it is of no release's arm."""
    sender = summary.sender
    if sender.release is None or sender.arm is None:
        return None
    at = summary.window_start
    place = Place(sender.app, sender.release, month_of(at), sender.install, sender.arm)
    told = Told(
        harms=harms(summary),
        p95=NO_P95 if p95 is None else p95,
        confidence=_parts(summary.extra, CONFIDENCE, NO_CONFIDENCE),
        battery=_parts(summary.extra, BATTERY, NO_BATTERY),
    )
    return Entry(place, sender.context, sender.stratum, (at - begin_of(place.month)) // HOUR, told)


def changed(packed: bytes | None, entries: Iterable[Entry]) -> tuple[bytes, list[HourChange]]:
    """Return a diary with entries of its place written in, and which hours that changed."""
    pages = unpack(packed) if packed else {}
    before: dict[tuple[Place, str, int], Told | None] = {}
    after: dict[tuple[Place, str, int], Told] = {}
    for entry in entries:
        key = entry.place, entry.stratum, entry.hour
        if key not in before:
            before[key] = _worst_of(pages, entry.stratum, entry.hour)
        after[key] = worst(after.get(key) or before[key] or entry.told, entry.told)
        page = pages.setdefault(entry.context, Page(entry.stratum, b""))
        page.records = _written(page.records, entry.hour, entry.told)
    return _encode(pages), [
        HourChange(place, stratum, begin_of(place.month) + hour * HOUR, before[place, stratum, hour], told)
        for (place, stratum, hour), told in sorted(after.items())
        if told != before[place, stratum, hour]
    ]


def joined(one: bytes, other: bytes) -> bytes:
    """Return both diaries as one: of an hour that is in both, the worst."""
    pages = unpack(one)
    for context, page in unpack(other).items():
        mine = pages.setdefault(context, Page(page.stratum, b""))
        for hour, *told in RECORD.iter_unpack(page.records):
            mine.records = _written(mine.records, hour, Told(*told))
    return _encode(pages)


def since(packed: bytes, hour: int) -> bytes | None:
    """Return a diary without the hours before one; None when that leaves nothing."""
    pages = unpack(packed)
    for page in pages.values():
        page.records = page.records[_place(page.records, hour) :]
    left = {context: page for context, page in pages.items() if page.records}
    return _encode(left) if left else None


def begin_of(month: int) -> datetime:
    """Return the first moment of 202611."""
    return datetime(month // 100, month % 100, 1, tzinfo=UTC)


def worst(one: Told, other: Told) -> Told:
    return Told(
        one.harms | other.harms,
        max(one.p95, other.p95),
        min(one.confidence, other.confidence),
        max(one.battery, other.battery),
    )


def _worst_of(pages: Mapping[str, Page], stratum: str, hour: int) -> Told | None:
    found: Told | None = None
    for page in pages.values():
        told = _at(page.records, _place(page.records, hour), hour) if page.stratum == stratum else None
        if told is not None:
            found = told if found is None else worst(found, told)
    return found


def _written(records: bytes, hour: int, told: Told) -> bytes:
    start = _place(records, hour)
    there = _at(records, start, hour)
    rest = records[start + RECORD.size :] if there else records[start:]
    return records[:start] + RECORD.pack(hour, *(worst(there, told) if there else told)) + rest


def _at(records: bytes, start: int, hour: int) -> Told | None:
    if start == len(records):
        return None
    found, *told = RECORD.unpack_from(records, start)
    return Told(*told) if found == hour else None


def _place(records: bytes, hour: int) -> int:
    """Return where the record of the hour is, or would be."""
    size = RECORD.size
    return size * bisect_left(
        range(len(records) // size), hour, key=lambda number: RECORD.unpack_from(records, size * number)[0]
    )


def _parts(extra: Mapping[str, Any], metric: str, nothing: int) -> int:
    name, parts = OF_EXTRA[metric]
    told = extra.get(name)
    return nothing if told is None else round(min(told * parts, MOST_PARTS))
