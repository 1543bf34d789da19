"""Counts of diaries: what both arms of a release told by device and hour, by install, and who came and was lost. Pure.

Diaries are taken apart into columns once; a question is then a few sums over columns, however it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.arms import ARMS, ArmName
from core.device import DeviceContext
from feedback.diaries import HOUR, NO_BATTERY, NO_CONFIDENCE, NO_P95, RECORD, begin_of, unpack
from feedback.sheet_counts import Codes, Ints
from feedback.sheets import EPOCH
from feedback.sketches import quantile_bucket
from feedback.telemetry import BATTERY, CONFIDENCE, HARMS, LATENCY_P95

Row = tuple[int, str, ArmName, bytes]
InstallSums = tuple[DeviceContext, ArmName, float, float]
"""Device, arm, n and total of one install."""
_RECORD: Final = np.dtype(
    [("hour", ">u2"), ("harms", "u1"), (LATENCY_P95, ">i2"), (CONFIDENCE, ">i2"), (BATTERY, ">i2")]
)
_NOTHING: Final = {LATENCY_P95: NO_P95, CONFIDENCE: NO_CONFIDENCE, BATTERY: NO_BATTERY}
# Beyond so many combinations only those that occur are counted.
MOST_DENSE: Final = 20_000_000
assert _RECORD.itemsize == RECORD.size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeafCounts:
    """In how many install-hours (or ratings) a metric was in each bucket, by device, arm and hour.

    The columns have a place for each combination that occurs: which of `devices`, ARMS and `hours`, its `bucket`, `n`.
    A harm is bucket 1, none is 0; `latency_p95` comes in buckets of the log2x4 scheme, `csat` by rating, `confidence`
    in hundredths and `battery` in tenths of a percent.
    """

    metric: str
    devices: tuple[DeviceContext, ...]
    hours: tuple[datetime, ...]
    device: Ints
    arm: Ints
    hour: Ints
    bucket: Ints
    n: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Installs of one arm that were first heard of in one hour, alike in their device.

    `lost`: heard of in that hour only, or of the candidate's arm and never on its version.
    """

    arm: ArmName
    hour: datetime
    device: DeviceContext
    installs: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Installs of one arm that were heard of, alike in their device."""

    arm: ArmName
    device: DeviceContext
    installs: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diaries:
    """What was told of a release. A page is of an install in a context and a month.

    `context` (a place in `contexts` and `devices`), `install`, `arm`, `first` and `last` (hours since 1970) have a
    place for each page; the other columns one for each hour of a page, in order: its `page`, the `hour` since 1970,
    and what was `told` of it.
    """

    contexts: tuple[str, ...]
    devices: tuple[DeviceContext, ...]
    context: Ints
    install: Ints
    arm: Ints
    first: Ints
    last: Ints
    page: Ints
    hour: Ints
    told: npt.NDArray[Any]

    def buckets(self, metric: str) -> tuple[Ints, Ints]:
        """Return the places of the hours that tell of a metric, and the bucket of each."""
        if metric in HARMS:
            return np.arange(len(self.page)), (self.told["harms"] >> HARMS.index(metric)).astype(np.int64) & 1
        column = self.told[metric]
        places = np.flatnonzero(column != _NOTHING[metric])
        return places, column[places].astype(np.int64)


def gathered(rows: Iterable[Row], devices: Callable[[Sequence[str]], tuple[DeviceContext, ...]]) -> Diaries:
    """Take diaries (month, install, arm, packed) apart."""
    contexts, installs, begins = Codes(), Codes(), _Begins()
    pages: list[tuple[int, int, int, int]] = []
    records: list[bytes] = []
    for month, install, arm, packed in rows:
        by, begin = installs[install], begins[month]
        for name, page in unpack(packed).items():
            pages.append((contexts[name], by, ARMS.index(arm), begin))
            records.append(page.records)
    context, install_, arm_, begin_ = np.array(pages, dtype=np.int64).reshape(-1, 4).T
    told = np.frombuffer(b"".join(records), dtype=_RECORD)
    lengths = np.array([len(each) // RECORD.size for each in records], dtype=np.int64)
    page_ = np.repeat(np.arange(len(records)), lengths)
    hour = told["hour"].astype(np.int64) + begin_[page_]
    ends = np.cumsum(lengths)
    return Diaries(
        contexts=tuple(contexts), devices=devices(tuple(contexts)), context=context, install=install_, arm=arm_,
        first=hour[ends - lengths], last=hour[ends - 1], page=page_, hour=hour, told=told,
    )  # fmt: skip


def leaf_counts(diaries: Diaries, metric: str) -> LeafCounts:
    """Return a metric by device, arm and hour; an install's hour counts once on each kind of device."""
    places, bucket = diaries.buckets(metric)
    page = diaries.page[places]
    return counted(metric, diaries.devices, diaries.context[page], diaries.arm[page], diaries.hour[places], bucket)


def counted(
    metric: str, devices: tuple[DeviceContext, ...], device: Ints, arm: Ints, hour: Ints, bucket: Ints,
    n: Ints | None = None,
) -> LeafCounts:  # fmt: skip
    """Return how often each combination occurs, or the sum of its `n`; hours are since 1970."""
    hours, hour_of = _numbered(hour)
    buckets, bucket_of = _numbered(bucket)
    shape = len(devices), len(ARMS), len(hours), len(buckets)
    found, sums = _tallied((device, arm, hour_of, bucket_of), shape, n)
    return LeafCounts(
        metric=metric, devices=devices, hours=tuple(_moment(each) for each in hours.tolist()),
        device=found[0], arm=found[1], hour=found[2], bucket=buckets[found[3]], n=sums.astype(np.int64),
    )  # fmt: skip


def arrivals(diaries: Diaries, *, version: str) -> tuple[Arrival, ...]:
    """Return when the installs of both arms were first heard of, and how many were lost; `version`: the candidate's.

    An install that was heard of on several kinds of device counts on one of them, always the same.
    """
    is_version = np.array([device.model_version in (version, None) for device in diaries.devices], dtype=bool)
    people = _People(diaries, np.arange(len(diaries.context)))
    ran = people.arm == ARMS.index("baseline")
    first = np.full(len(people.arm), np.iinfo(np.int64).max)
    last = np.zeros(len(people.arm), dtype=np.int64)
    np.minimum.at(first, people.who, diaries.first)
    np.maximum.at(last, people.who, diaries.last)
    np.logical_or.at(ran, people.who, is_version[diaries.context])
    hours, hour_of = _numbered(first)
    groups, shape = (people.arm, hour_of, people.context), (len(ARMS), len(hours), len(diaries.contexts))
    found, installs = _tallied(groups, shape)
    _, lost = _tallied(groups, shape, (first == last) | ~ran)
    return tuple(
        Arrival(
            arm=ARMS[arm], hour=_moment(int(hours[hour])), device=diaries.devices[context], installs=int(n),
            lost=int(gone),
        )
        for arm, hour, context, n, gone in zip(*found, installs, lost, strict=True)
    )  # fmt: skip


def seen_since(diaries: Diaries, since: datetime) -> tuple[Seen, ...]:
    """Return how many installs of both arms told of the hour of `since` or a later one, each on one kind of device."""
    people = _People(diaries, np.flatnonzero(diaries.last >= hours_since_1970(since)))
    found, installs = _tallied((people.arm, people.context), (len(ARMS), len(diaries.contexts)))
    return tuple(
        Seen(arm=ARMS[arm], device=diaries.devices[context], installs=int(n))
        for arm, context, n in zip(*found, installs, strict=True)
    )


class _People:
    """The different installs that some pages are of: the `arm` and a context of each, and `who` each page is of."""

    def __init__(self, diaries: Diaries, pages: Ints) -> None:
        keys, self.who = np.unique((diaries.install * len(ARMS) + diaries.arm)[pages], return_inverse=True)
        self.arm: Ints = keys % len(ARMS)
        order = np.argsort(np.array(diaries.contexts, dtype=str))
        rank = np.zeros(len(keys), dtype=np.int64)
        np.maximum.at(rank, self.who, np.argsort(order)[diaries.context[pages]])
        self.context: Ints = order[rank]


def install_sums(diaries: Diaries, metric: str) -> tuple[InstallSums, ...]:
    """Return (device, arm, n, total) of each install on each kind of device: its hours, and how many were harmed.

    An hour is slow when its p95 is above the baseline's own.
    """
    places, harmed = diaries.buckets(metric)
    page = diaries.page[places]
    if metric == LATENCY_P95:
        edge = _baseline_p95(harmed[diaries.arm[page] == ARMS.index("baseline")])
        harmed = (harmed > edge).astype(np.int64)
    groups = diaries.context[page], diaries.arm[page], diaries.install[page]
    shape = len(diaries.devices), len(ARMS), 1 + int(diaries.install.max(initial=0))
    (context, arm, _), n = _tallied(groups, shape)
    _, total = _tallied(groups, shape, harmed)
    return tuple(
        (diaries.devices[context], ARMS[arm], hours, harms)
        for context, arm, hours, harms in zip(context.tolist(), arm.tolist(), n.tolist(), total.tolist(), strict=True)
    )


def hours_since_1970(moment: datetime) -> int:
    return (moment - EPOCH) // HOUR


def _numbered(values: Ints) -> tuple[Ints, Ints]:
    """Return the values that occur, in order, and the place among them of each."""
    if not len(values):
        return values, values
    low = values.min()
    places = np.bincount(values - low) > 0
    return np.flatnonzero(places) + low, (np.cumsum(places) - 1)[values - low]


def _tallied(
    columns: Sequence[Ints], shape: Sequence[int], weights: npt.NDArray[Any] | None = None
) -> tuple[tuple[Ints, ...], npt.NDArray[np.float64]]:
    """Return the combinations that occur, a column each, and how often each does, or the sum of its weights."""
    if not len(columns[0]):
        return tuple(columns), np.zeros(0)
    keys = np.ravel_multi_index(tuple(columns), tuple(shape))
    space = int(np.prod(shape, dtype=object))
    if space <= MOST_DENSE:
        found = np.flatnonzero(np.bincount(keys, minlength=space))
        sums = np.bincount(keys, weights=weights, minlength=space)[found]
    else:
        found, place = np.unique(keys, return_inverse=True)
        sums = np.bincount(place, weights=weights)
    return np.unravel_index(found, tuple(shape)), sums.astype(float)


def _baseline_p95(buckets: Ints) -> int:
    values, counts = np.unique(buckets, return_counts=True)
    return quantile_bucket(dict(zip(values.tolist(), counts.tolist(), strict=True)), 0.95) or 0


def _moment(hour: int) -> datetime:
    return EPOCH + hour * HOUR


class _Begins(dict[int, int]):
    """The hour since 1970 in which a month begins."""

    def __missing__(self, month: int) -> int:
        self[month] = begin = hours_since_1970(begin_of(month))
        return begin
