"""Drift: whether what a model sees and says has moved, per cohort, against the same weekdays of the weeks before.

The population stability index PSI = Σ (p - q) ln(p / q) of two histograms of which nothing changed is about
chi²(B - 1) * (1/n + 1/m) (Yurdakul 2018), so the usual rule "above .1" fires on most small cohorts. Here it must be
beyond chance, with Benjamini-Hochberg over cohorts, and large enough to matter. Phones repeat themselves: by how much
weeks differ beyond chance is learned from the weeks before. Only stored histograms are needed. Pure.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Final

from scipy.stats import chi2

from feedback.scores import discoveries

EVERYONE: Final = ""
LEAST_PSI: Final = 0.02
# A share of two outcomes (fallback or not) must grow or shrink by so much: a PSI is blind to what is rare.
LEAST_RATIO: Final = 1.5
LEAST_N: Final = 30
LEAST_COHORTS: Final = 6
MOST_SHARES: Final = 10
WEEK: Final = timedelta(days=7)
WEEKS_BEFORE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCounts:
    """How often each outcome (a label, a bin of confidence, "bad" and "fine") was seen in a cohort on a day.

    `cohort` is a rule as people type it; `measure` names what was counted: outputs, confidence, fallback …
    """

    cohort: str
    measure: str
    day: date
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A cohort whose histogram moved. `outcome` moved most: from share `before` to `after`. `cohort` "": nearly all.

    `shares` are (outcome, share before, share after) of the commonest outcomes, the commonest first.
    """

    cohort: str
    measure: str
    psi: float
    p: float
    n: int
    outcome: str
    before: float
    after: float
    shares: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class _Pair:
    """Shares now and expected, with how many counts each is worth."""

    now: Mapping[str, float]
    usual: Mapping[str, float]
    n: float
    m: float

    @property
    def noise(self) -> float:
        return 1 / self.n + 1 / self.m

    @property
    def psi(self) -> float:
        return psi(self.now, self.usual, n=self.n, m=self.m)

    @property
    def freedom(self) -> int:
        return len(self.now) - 1


def psi(now: Mapping[str, float], usual: Mapping[str, float], *, n: float, m: float) -> float:
    """Return the population stability index of two sets of shares; half a count is added to each outcome."""
    outcomes = now.keys() | usual.keys()
    bins = len(outcomes)
    total = 0.0
    for outcome in outcomes:
        after = (now.get(outcome, 0.0) * n + 0.5) / (n + bins / 2)
        before = (usual.get(outcome, 0.0) * m + 0.5) / (m + bins / 2)
        total += (after - before) * math.log(after / before)
    return total


def find_drift(
    days: Iterable[DayCounts],
    *,
    since: date,
    until: date,
    false_discovery_rate: float = 0.05,
) -> tuple[Drift, ...]:
    """Return the cohorts that moved in [since, until), the largest PSI first.

    Each day is compared with the same weekday of the four weeks before `since`. When more than half of at least six
    cohorts moved alike in a measure, all is told as one.
    """
    table: dict[str, dict[str, dict[date, Mapping[str, int]]]] = defaultdict(lambda: defaultdict(dict))
    for each in days:
        table[each.measure][each.cohort][each.day] = each.counts
    found: list[Drift] = []
    for measure, cohorts in sorted(table.items()):
        window = _Window(since=since, until=until)
        found += _of_measure(measure, cohorts, window, false_discovery_rate)
    return tuple(sorted(found, key=lambda drift: (-drift.psi, drift.measure, drift.cohort)))


def watch(days: Sequence[DayCounts], *, until: date, false_discovery_rate: float = 0.05) -> tuple[Drift, ...]:
    """Return what moved in the last week, or in the last four, which finds what is small; each cohort once.

    `days` must reach back eight weeks before `until`. Each look may be wrong in half of `false_discovery_rate`.
    """
    found: dict[tuple[str, str], Drift] = {}
    for length in (WEEK, 4 * WEEK):
        for drift in find_drift(days, since=until - length, until=until, false_discovery_rate=false_discovery_rate / 2):
            found.setdefault((drift.measure, drift.cohort), drift)
    return tuple(sorted(found.values(), key=lambda drift: (-drift.psi, drift.measure, drift.cohort)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    since: date
    until: date

    def days(self) -> list[date]:
        return [self.since + timedelta(days=each) for each in range((self.until - self.since).days)]

    def usual(self, day: date, *, without: int | None = None) -> list[date]:
        """Return the same weekdays before, the last first; `without` leaves one of them out."""
        last = day
        while last >= self.since:
            last -= WEEK
        return [last - WEEK * back for back in range(WEEKS_BEFORE) if back != without]


Days = Mapping[date, Mapping[str, int]]


def _of_measure(measure: str, cohorts: Mapping[str, Days], window: _Window, rate: float) -> list[Drift]:
    pairs = {name: pair for name, days in cohorts.items() if (pair := _pair(days, window)) is not None}
    inflation = _inflation(cohorts, window)
    pairs = {name: _worth(pair, inflation) for name, pair in pairs.items()}
    names = sorted(pairs)
    chances = [_chance(pairs[name]) for name in names]
    standing = discoveries(chances, rate)
    found = [
        _drift(name, measure, pairs[name], chances[place], inflation)
        for place, name in enumerate(names)
        if place in standing and _matters(pairs[name])
    ]
    if len(names) >= LEAST_COHORTS and 2 * len(found) > len(names):
        together = _pair(cohorts.get(EVERYONE) or _pooled(cohorts.values()), window)
        if together is not None:
            together = _worth(together, inflation)
            return [_drift(EVERYONE, measure, together, _chance(together), inflation)]
    return found


def _pair(days: Days, window: _Window, *, week_back: int | None = None) -> _Pair | None:
    """Return the window against its weekdays before; `week_back`: that week before against the other ones."""
    now: dict[str, float] = defaultdict(float)
    usual: dict[str, float] = defaultdict(float)
    here_on: dict[int, float] = defaultdict(float)
    there_on: dict[int, float] = {}
    for day in window.days() if week_back is None else window.days()[:7]:
        asked = day if week_back is None else window.usual(day)[week_back]
        seen = days.get(asked, {})
        before = _sum(days.get(other, {}) for other in window.usual(day, without=week_back))
        here, there = sum(seen.values()), sum(before.values())
        if not here or not there:
            continue
        for outcome in seen.keys() | before.keys():
            now[outcome] += seen.get(outcome, 0)
            usual[outcome] += here * before.get(outcome, 0) / there
        here_on[day.weekday()] += here
        there_on[day.weekday()] = there
    n = sum(here_on.values())
    if n < LEAST_N or len(usual) < 2:
        return None
    # Days of one weekday share what they are compared with, so it counts once.
    spread = sum(here_on[weekday] ** 2 / there for weekday, there in there_on.items())
    shares = {outcome: usual[outcome] / n for outcome in usual}
    return _Pair({outcome: now[outcome] / n for outcome in usual}, shares, n, n * n / spread)


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for each in counts:
        for outcome, count in each.items():
            total[outcome] += count
    return total


def _pooled(cohorts: Iterable[Days]) -> Days:
    days: dict[date, list[Mapping[str, int]]] = defaultdict(list)
    for each in cohorts:
        for day, counts in each.items():
            days[day].append(counts)
    return {day: _sum(counts) for day, counts in days.items()}


def _inflation(cohorts: Mapping[str, Days], window: _Window) -> float:
    """Return how many times more weeks before differ from one another than by chance, at least 1."""
    ratios = []
    for days in cohorts.values():
        for back in range(WEEKS_BEFORE):
            pair = _pair(days, window, week_back=back)
            if pair is not None:
                ratios.append(pair.psi / pair.noise / float(chi2.median(pair.freedom)))
    return max(1.0, median(ratios)) if ratios else 1.0


def _worth(pair: _Pair, inflation: float) -> _Pair:
    """Return the pair with as many counts as it would take without repeating to be as sure."""
    return _Pair(pair.now, pair.usual, pair.n / inflation, pair.m / inflation)


def _chance(pair: _Pair) -> float:
    return float(chi2.sf(pair.psi / pair.noise, pair.freedom))


def _matters(pair: _Pair) -> bool:
    if len(pair.now) > 2:
        return pair.psi > LEAST_PSI
    rare = min(pair.usual, key=lambda outcome: pair.usual[outcome])
    before = max(pair.usual[rare], 0.5 / pair.m)
    after = max(pair.now[rare], 0.5 / pair.n)
    return pair.psi > LEAST_PSI or not 1 / LEAST_RATIO < after / before < LEAST_RATIO


def _drift(cohort: str, measure: str, pair: _Pair, p: float, inflation: float) -> Drift:
    outcome = max(sorted(pair.now), key=lambda each: abs(pair.now[each] - pair.usual[each]))
    before, after = pair.usual[outcome], pair.now[outcome]
    common = sorted(pair.now, key=lambda each: (-max(pair.now[each], pair.usual[each]), each))[:MOST_SHARES]
    return Drift(
        cohort=cohort, measure=measure, psi=pair.psi, p=p, n=round(pair.n * inflation), outcome=outcome, before=before,
        after=after, shares=tuple((each, pair.usual[each], pair.now[each]) for each in common),
    )  # fmt: skip
