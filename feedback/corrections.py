"""Corrections: what people said an inference should have been, with no fact beside it that only a few share. Pure.

A correction is given to be read, one by one, by whoever trains the next model: its words leave. What the phone told
beside them, version and day, would say whose words they are where few have it, and leaves only where enough do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What somebody said an inference should have been. `inference` is the phone's own id of it; no person is named.

    `version` and `day` are None where too few people share them.
    """

    label: str
    inference: str | None
    model: str
    version: str | None
    day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """What may leave; `is_cut` when there are older ones than these."""

    told: tuple[Correction, ...]
    is_cut: bool = False


def coarsened(given: Sequence[tuple[str, Correction]], minimum: int) -> tuple[Correction, ...]:
    """Return corrections of installs with facts that `minimum` of them share; none when that many did not give any.

    First the versions of too few go, then, among those of one version, the days of too few. Those without the fact are
    enough people, too, or nobody: else the next larger group joins them.
    Ordered by day and by label, so that the order of a day tells nothing.
    """
    if len({install for install, _ in given}) < minimum:
        return ()
    found = []
    for version, of_version in _parted(given, "version", minimum).items():
        for day, of_day in _parted(of_version, "day", minimum).items():
            found += [replace(each, version=version, day=day) for _, each in of_day]
    return tuple(sorted(found, key=_order))


def _parted(
    given: Sequence[tuple[str, Correction]], fact: str, minimum: int
) -> Mapping[Any, list[tuple[str, Correction]]]:
    """Part by a fact; None are all those whose fact is not told."""
    parts: dict[Any, list[tuple[str, Correction]]] = defaultdict(list)
    for install, each in given:
        parts[getattr(each, fact)].append((install, each))
    rest = parts.pop(None, [])
    for value in sorted(parts, key=lambda value: (_people(parts[value]), value)):
        if _people(parts[value]) < minimum or 0 < _people(rest) < minimum:
            rest += parts.pop(value)
    return parts | ({None: rest} if rest else {})


def _people(given: Collection[tuple[str, Correction]]) -> int:
    return len({install for install, _ in given})


def _order(each: Correction) -> tuple[date, str, str]:
    return each.day or date.min, each.label.casefold(), each.inference or ""
