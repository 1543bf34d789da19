"""Regressions: which cohort got worse under the candidate, how sure that is, and the fingerprint it is known by.

Each cohort of one value or two (chipset, chipset and accelerator …), and everyone, is compared between the arms of a
release. The unit is the install: n is what it was exposed to (install-hours, ratings), total what came of it (harmed
hours, the sum of ratings). With r the total per n of both arms together and e = total - r * n of each install, the
candidate's sum of e is normal with variance m_c * m_b / (m * (m - 1)) * sum(e²) if installs fell into the arms by
chance (permutation of m = m_c + m_b installs; Pitman 1937). So one bad phone that fails every hour is one phone.
What Benjamini-Hochberg lets stand is ranked by excess * ln(observed / expected), 5 % off for each value named; the
first is reported, its devices are set aside, and the rest is looked at again. Pure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist
from typing import Final, Literal

from core.device import DeviceContext
from core.segments import EVERYONE, Segment, text
from feedback import cohorts
from feedback.scores import Z95, discoveries

Arm = Literal["baseline", "candidate"]
# In order of preference where two describe the same phones. What differs between the arms by intent (version, variant,
# runtime of the model) cannot be a cohort.
ATTRIBUTES: Final = (
    "chipset", "accelerator", "device", "tier", "os", "platform", "ram_gb", "manufacturer", "app_version", "country",
    "locale", "cohort",
)  # fmt: skip
LOWER_IS_WORSE: Final = frozenset({"csat"})
LEAST_PER_ARM: Final = 5
LEAST_HARMED: Final = 5.0
DEPTH_PENALTY: Final = 0.95
MOST_FOUND: Final = 3
Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """All installs of one arm on devices that agree in everything: sums over installs of n, total, their products."""

    device: DeviceContext
    arm: Arm
    installs: int
    n: float
    total: float
    n_sq: float
    total_sq: float
    n_total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """A metric that is worse for a cohort under the candidate, beyond chance.

    `cohort` is the rule as people type it, "" for everyone; `twins` are rules that pick out the same devices.
    `baseline` and `candidate` are total / n; `effect` their difference with its 95 % interval; `p` is one-sided.
    """

    metric: str
    cohort: str
    segment: Segment
    twins: tuple[str, ...]
    baseline: float
    candidate: float
    effect: float
    low: float
    high: float
    installs_baseline: int
    installs_candidate: int
    n_baseline: float
    n_candidate: float
    p: float


def fingerprint(app: str, model: str, metric: str, cohort: str, first_bad_version: str) -> str:
    """Return a regression's name: the first 16 hex digits of sha256 over its five parts, each ended by a zero byte."""
    parts = (app, model, metric, cohort, first_bad_version)
    return hashlib.sha256("".join(f"{part}\0" for part in parts).encode()).hexdigest()[:16]


def tally(rows: Iterable[tuple[DeviceContext, Arm, float, float]]) -> tuple[Leaf, ...]:
    """Return the leaves of rows (device, arm, n, total), one row for each install."""
    leaves: dict[tuple[DeviceContext, Arm], Leaf] = {}
    for device, arm, n, total in rows:
        one = Leaf(
            device=device, arm=arm, installs=1, n=n, total=total, n_sq=n * n, total_sq=total * total, n_total=n * total
        )
        before = leaves.get((device, arm))
        leaves[device, arm] = one if before is None else _add_leaf(before, one)
    return tuple(leaves.values())


def find_regressions(
    leaves: Sequence[Leaf],
    *,
    metric: str,
    minimum: int = 20,
    false_discovery_rate: float = 0.05,
    highest: float = 5.0,
) -> tuple[Regression, ...]:
    """Return at most three regressions of `metric`, the one that explains most first; none if all may be chance.

    A cohort needs `minimum` installs, at least 5 in each arm, and harm of at least 5 installs' worth.
    `highest` is the top of the scale of ratings, from which a low mean is counted down as harm.
    """
    lower_is_worse = metric in LOWER_IS_WORSE
    rest = [_count_down(leaf, highest) for leaf in leaves] if lower_is_worse else list(leaves)
    found: list[Regression] = []
    while rest and len(found) < MOST_FOUND:
        best = _best(rest, minimum, false_discovery_rate)
        if best is None:
            break
        cohort, twins = best
        regression = _regression(metric, cohort, twins)
        found.append(_count_up(regression, highest) if lower_is_worse else regression)
        rest = [leaf for leaf in rest if not _is_in(cohort.values, leaf.device)]
    return tuple(found)


@dataclass(slots=True)
class _Sums:
    installs: int = 0
    n: float = 0.0
    total: float = 0.0
    n_sq: float = 0.0
    total_sq: float = 0.0
    n_total: float = 0.0

    def add(self, leaf: Leaf | _Sums) -> None:
        self.installs += leaf.installs
        self.n += leaf.n
        self.total += leaf.total
        self.n_sq += leaf.n_sq
        self.total_sq += leaf.total_sq
        self.n_total += leaf.n_total

    @property
    def rate(self) -> float:
        return self.total / self.n if self.n else 0.0

    def squares(self, rate: float) -> float:
        """Return the sum over installs of (total - rate * n)²."""
        return max(0.0, self.total_sq - 2 * rate * self.n_total + rate * rate * self.n_sq)


class _Cohort:
    """The installs of both arms with some values; `support` tells which leaves they are."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.baseline, self.candidate = _Sums(), _Sums()
        self.support = (0, 0, 0)

    def add(self, index: int, leaf: Leaf) -> None:
        (self.candidate if leaf.arm == "candidate" else self.baseline).add(leaf)
        count, sum_, sum_sq = self.support
        self.support = (count + 1, sum_ + index, sum_sq + index * index)

    @property
    def both(self) -> _Sums:
        sums = _Sums()
        sums.add(self.baseline)
        sums.add(self.candidate)
        return sums

    def is_large(self, minimum: int) -> bool:
        fewest = min(self.baseline.installs, self.candidate.installs)
        return fewest >= LEAST_PER_ARM and self.baseline.installs + self.candidate.installs >= minimum

    def p_value(self) -> float:
        """Return how likely the candidate's harm is by chance, at half a harm less than seen (continuity)."""
        both = self.both
        if not both.total_sq or both.total**2 / both.total_sq < LEAST_HARMED:
            return 1.0
        m, m_c, m_b = both.installs, self.candidate.installs, self.baseline.installs
        variance = m_c * m_b / (m * (m - 1)) * both.squares(both.rate)
        if variance <= 0:
            return 1.0
        excess = self.candidate.total - both.rate * self.candidate.n - both.total_sq / both.total / 2
        return NormalDist().cdf(-excess / math.sqrt(variance))

    def rank(self, usual: float) -> float:
        """Return how much of the harm the cohort explains. `usual` is the rate of the whole baseline: half a harm at
        that rate is added to the cohort's own baseline, lest it be 0, and weighs on a small cohort more than on all."""
        expected_rate = (self.baseline.total + 0.5) / (self.baseline.n + 0.5 / usual)
        expected = expected_rate * self.candidate.n
        if self.candidate.total <= expected:
            return 0.0
        excess = self.candidate.total - expected
        return float(excess * math.log(self.candidate.total / expected) * DEPTH_PENALTY ** len(self.values))


def _best(leaves: Sequence[Leaf], minimum: int, rate: float) -> tuple[_Cohort, tuple[_Cohort, ...]] | None:
    """Return the cohort that explains most of what is beyond chance, with its twins; None if nothing is."""
    looked_at = [cohort for cohort in _cohorts(leaves) if cohort.is_large(minimum)]
    standing = discoveries([cohort.p_value() for cohort in looked_at], rate)
    baseline = [leaf for leaf in leaves if leaf.arm == "baseline"]
    usual = (sum(leaf.total for leaf in baseline) + 0.5) / (sum(leaf.n for leaf in baseline) or 1.0)
    ranked = sorted(
        (looked_at[index] for index in standing), key=lambda cohort: (-cohort.rank(usual), *_shortest(cohort))
    )
    if not ranked or ranked[0].rank(usual) <= 0:
        return None
    same = sorted((cohort for cohort in looked_at if cohort.support == ranked[0].support), key=_shortest)
    short = [cohort for cohort in same if len(cohort.values) == len(same[0].values)]
    return short[0], tuple(short[1:])


def _cohorts(leaves: Sequence[Leaf]) -> list[_Cohort]:
    found: dict[Values, _Cohort] = {}
    for index, leaf in enumerate(leaves):
        told = [(name, label) for name in ATTRIBUTES if (label := leaf.device.label(name)) is not None]
        singles: list[Values] = [(value,) for value in told]
        for values in ((), *singles, *combinations(told, 2)):
            if values not in found:
                found[values] = _Cohort(values)
            found[values].add(index, leaf)
    return list(found.values())


def _shortest(cohort: _Cohort) -> tuple[int, tuple[int, ...], Values]:
    return len(cohort.values), tuple(ATTRIBUTES.index(name) for name, _ in cohort.values), cohort.values


def _is_in(values: Values, device: DeviceContext) -> bool:
    return all(device.label(name) == label for name, label in values)


def _regression(metric: str, cohort: _Cohort, twins: Sequence[_Cohort]) -> Regression:
    baseline, candidate = cohort.baseline, cohort.candidate
    effect = candidate.rate - baseline.rate
    half = Z95 * math.sqrt(sum(arm.squares(arm.rate) / arm.n**2 for arm in (baseline, candidate) if arm.n))
    segment = cohorts.of(**dict(cohort.values)) if cohort.values else EVERYONE
    return Regression(
        metric=metric,
        cohort=_words(cohort),
        segment=segment,
        twins=tuple(_words(twin) for twin in twins),
        baseline=baseline.rate,
        candidate=candidate.rate,
        effect=effect,
        low=effect - half,
        high=effect + half,
        installs_baseline=baseline.installs,
        installs_candidate=candidate.installs,
        n_baseline=baseline.n,
        n_candidate=candidate.n,
        p=cohort.p_value(),
    )


def _words(cohort: _Cohort) -> str:
    return text(cohorts.of(**dict(cohort.values))) if cohort.values else ""


def _count_down(leaf: Leaf, highest: float) -> Leaf:
    """Return the leaf with highest * n - total in place of total."""
    return replace(
        leaf,
        total=highest * leaf.n - leaf.total,
        total_sq=highest**2 * leaf.n_sq - 2 * highest * leaf.n_total + leaf.total_sq,
        n_total=highest * leaf.n_sq - leaf.n_total,
    )


def _count_up(regression: Regression, highest: float) -> Regression:
    return replace(
        regression,
        baseline=highest - regression.baseline,
        candidate=highest - regression.candidate,
        effect=-regression.effect,
        low=-regression.high,
        high=-regression.low,
    )


def _add_leaf(left: Leaf, right: Leaf) -> Leaf:
    def both(of: Callable[[Leaf], float]) -> float:
        return of(left) + of(right)

    return replace(
        left,
        installs=left.installs + right.installs,
        n=both(lambda leaf: leaf.n),
        total=both(lambda leaf: leaf.total),
        n_sq=both(lambda leaf: leaf.n_sq),
        total_sq=both(lambda leaf: leaf.total_sq),
        n_total=both(lambda leaf: leaf.n_total),
    )
