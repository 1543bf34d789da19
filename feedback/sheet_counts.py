"""Counts of sheets: how often each thing was told in a period, and by how many people, for any set of contexts. Pure.

Sheets are taken apart into columns once; a question is then a few sums over columns, however it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.device import DeviceContext
from core.segments import EVERYONE, Segment, matches
from feedback.sheets import RECORD, AnswerTold, answer_of, microseconds, unpack

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Row = tuple[str, str, bytes]
Label = str | None
_RECORD: Final = np.dtype([("at", ">i8"), ("submission", ">u8")])
assert _RECORD.itemsize == RECORD.size


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheets:
    """What was told. Each sheet has its place in `contexts` and `devices` (where) and `installs` (by whom).

    The other columns have a place for each moment, in the order of sheets: its `sheet`, what was `told` (of `things`),
    when (`at`, microseconds since 1970) and in which `submission`.
    """

    contexts: tuple[str, ...]
    devices: tuple[DeviceContext, ...]
    installs: tuple[str, ...]
    things: tuple[str, ...]
    context: Ints
    install: Ints
    sheet: Ints
    told: Ints
    at: Ints
    submission: npt.NDArray[np.uint64]

    @cached_property
    def answers(self) -> tuple[AnswerTold | None, ...]:
        """What each of `things` answers; None for an event."""
        return tuple(answer_of(thing) for thing in self.things)

    def where(self, told: Collection[int], *, since: datetime, until: datetime, inside: Segment = EVERYONE) -> Bools:
        """Return which moments are in [since, until) and the segment, and of some of `things`."""
        is_told = np.zeros(len(self.things), dtype=bool)
        is_told[list(told)] = True
        found: Bools = is_told[self.told] & (self.at >= microseconds(since)) & (self.at < microseconds(until))
        if inside != EVERYONE:
            is_inside = np.array([matches(inside, device) for device in self.devices], dtype=bool)
            found &= is_inside[self.context[self.sheet]]
        return found

    def without(self, told: Collection[int]) -> Sheets:
        """Return the same without some of `things`."""
        if not told:
            return self
        is_gone = np.zeros(len(self.things), dtype=bool)
        is_gone[list(told)] = True
        left = ~is_gone[self.told]
        return replace(
            self, sheet=self.sheet[left], told=self.told[left], at=self.at[left], submission=self.submission[left]
        )  # fmt: skip


def gathered(
    rows: Iterable[Row], *, since: datetime, until: datetime,
    devices: Callable[[Sequence[str]], tuple[DeviceContext, ...]],
) -> Sheets:  # fmt: skip
    """Take sheets (context, install, packed) apart; what is outside of [since, until) is left out."""
    contexts, installs, things = Codes(), Codes(), Codes()
    context: list[int] = []
    install: list[int] = []
    records: list[bytes] = []
    thing: list[int] = []
    sheet: list[int] = []
    for number, (where, by, packed) in enumerate(rows):
        context.append(contexts[where])
        install.append(installs[by])
        for told, moments in unpack(packed).items():
            records.append(moments)
            thing.append(things[told])
            sheet.append(number)
    columns = np.frombuffer(b"".join(records), dtype=_RECORD)
    at = columns["at"].astype(np.int64)
    within = (at >= microseconds(since)) & (at < microseconds(until))
    run = np.repeat(np.arange(len(records)), [len(moments) // RECORD.size for moments in records])[within]
    return Sheets(
        contexts=tuple(contexts), devices=devices(tuple(contexts)), installs=tuple(installs), things=tuple(things),
        context=_ints(context), install=_ints(install), sheet=_ints(sheet)[run], told=_ints(thing)[run], at=at[within],
        submission=columns["submission"][within].astype(np.uint64),
    )  # fmt: skip


def people(sheets: Sheets, labels: Sequence[Label], told: Bools) -> Mapping[Label, int]:
    """Return how many installs told something, by the label of the context it was told in."""
    names, label = _coded(labels)
    found = _once(sheets.sheet[told])
    return _distinct(names, label[sheets.context[found]], sheets.install[found])


def submissions(sheets: Sheets, labels: Sequence[Label], *told: Bools) -> tuple[Mapping[Label, int], ...]:
    """Return in how many submissions something was told, by the label of the context it was told in.

    The first of `told` has all moments of the others in it.
    """
    names, label = _coded(labels)
    place = np.flatnonzero(told[0])
    here, number = label[sheets.context[sheets.sheet[place]]], sheets.submission[place]
    order = np.lexsort((here, number))
    place, here, number = place[order], here[order], number[order]
    return tuple(_runs(names, here[mask], number[mask]) for mask in (each[place] for each in told))


def times(sheets: Sheets, labels: Sequence[Label], told: Bools) -> Mapping[Label, Mapping[int, int]]:
    """Return how often each of `things` was told, by the label of the context it was told in."""
    names, label = _coded(labels)
    counts = np.bincount(
        label[sheets.context[sheets.sheet[told]]] * len(sheets.things) + sheets.told[told],
        minlength=len(names) * len(sheets.things),
    ).reshape(len(names), len(sheets.things))
    return {
        name: {int(thing): int(row[thing]) for thing in np.flatnonzero(row)}
        for name, row in zip(names, counts, strict=True)
    }


def who(sheets: Sheets, told: Bools, moments: Sequence[datetime]) -> Iterator[tuple[str, datetime, str]]:
    """Return context, moment and install of what was told: once for each sheet and span.

    A span is what lies between two of `moments`, whose first is not after anything; its begin stands for all in it.
    """
    ends = sorted(set(moments))
    span = np.searchsorted(np.array([microseconds(end) for end in ends]), sheets.at[told], side="right")
    # Sheets come in order, so that what is found twice mostly stands side by side.
    found, spans = np.divmod(np.unique(_once(sheets.sheet[told] * (len(ends) + 1) + span)), len(ends) + 1)
    contexts, installs = sheets.context[found].tolist(), sheets.install[found].tolist()
    for context, install, each in zip(contexts, installs, spans.tolist(), strict=True):
        yield sheets.contexts[context], ends[each - 1], sheets.installs[install]


def _distinct(names: Sequence[Label], label: Ints, things: Ints) -> Mapping[Label, int]:
    """Count different things by label."""
    order = np.lexsort((label, things))
    return _runs(names, label[order], things[order])


def _runs(names: Sequence[Label], label: Ints, things: Any) -> Mapping[Label, int]:
    """Do the same for pairs in order."""
    is_new = np.ones(len(label), dtype=bool)
    is_new[1:] = (np.diff(things) != 0) | (np.diff(label) != 0)
    counts = np.bincount(label[is_new], minlength=len(names))
    return {name: int(n) for name, n in zip(names, counts, strict=True) if n}


def _once(numbers: Ints) -> Ints:
    """Return numbers without those that stand beside the same."""
    return numbers[np.flatnonzero(np.diff(numbers, prepend=-1))]


def _ints(numbers: Sequence[int]) -> Ints:
    return np.array(numbers, dtype=np.int64)


def _coded(labels: Sequence[Label]) -> tuple[list[Label], Ints]:
    """Return the labels that occur, and the place among them of each context's."""
    codes = Codes()
    places = np.array([codes[label] for label in labels], dtype=np.int64)
    return list(codes), places


class Codes(dict[Any, int]):
    """Numbers things as they come."""

    def __missing__(self, thing: Any) -> int:
        self[thing] = code = len(self)
        return code
