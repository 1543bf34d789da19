"""Drift, cohort by cohort: counts of leaf cohorts added up for everyone and for each value of each attribute. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from typing import Final, Protocol

from core.device import DeviceContext
from core.disclosure import disjoint, withhold
from core.segments import text
from feedback import cohorts
from feedback.drift import EVERYONE, DayCounts

BY: Final = ("chipset", "accelerator", "device", "tier", "os", "platform", "app_version", "country")
MOST_OUTCOMES: Final = 40
OTHER: Final = "(other)"


class Counted(Protocol):
    """How often each outcome was seen on a day on devices that agree in everything."""

    @property
    def device(self) -> DeviceContext: ...
    @property
    def measure(self) -> str: ...
    @property
    def day(self) -> date: ...
    @property
    def counts(self) -> Mapping[str, int]: ...


def cohort_days(
    days: Iterable[Counted], installs: Iterable[tuple[DeviceContext, int]], *, minimum: int
) -> tuple[DayCounts, ...]:
    """Return the counts of everyone, and of each cohort of one value that may be told.

    Those are of `minimum` installs, and no total less what is told of the other values of its attribute gives fewer
    (core/disclosure.py). `installs` tells how many are on each kind of device. Rare outcomes are put together: phones
    may say anything.
    """
    days = list(days)
    large = _told(installs, minimum)
    common = _common(days)
    found: dict[tuple[str, str, date], Counter[str]] = defaultdict(Counter)
    for each in days:
        counts: Counter[str] = Counter()
        for outcome, n in each.counts.items():
            counts[outcome if outcome in common[each.measure] else OTHER] += n
        for name in _names(each.device):
            if name in large:
                found[name, each.measure, each.day].update(counts)
    return tuple(
        DayCounts(cohort=name, measure=measure, day=day, counts=dict(counts))
        for (name, measure, day), counts in found.items()
    )


def _told(installs: Iterable[tuple[DeviceContext, int]], minimum: int) -> set[str]:
    """Return the names of cohorts that may be told beside everyone, one attribute after the other."""
    sizes: dict[str, Counter[str | None]] = {name: Counter() for name in BY}
    for device, count in installs:
        for name in BY:
            sizes[name][device.label(name)] += count
    told: set[str] = set()
    for name, values in sizes.items():
        cells, people = disjoint(list(values.values()))
        groups = [frozenset[Hashable]().union(*cells), *cells]
        hidden = withhold(groups, people=people, minimum=minimum)
        told |= {EVERYONE} if 0 not in hidden and values else set()
        told |= {
            text(cohorts.of(**{name: label}))
            for place, label in enumerate(values, 1)
            if label is not None and place not in hidden
        }
    return told


def _names(device: DeviceContext) -> list[str]:
    told = [(name, label) for name in BY if (label := device.label(name)) is not None]
    return [EVERYONE, *(text(cohorts.of(**{name: label})) for name, label in told)]


def _common(days: Iterable[Counted]) -> dict[str, set[str]]:
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for each in days:
        totals[each.measure].update(each.counts)
    return {measure: {outcome for outcome, _ in total.most_common(MOST_OUTCOMES)} for measure, total in totals.items()}
