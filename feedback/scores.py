"""Scores: a share, a mean or an NPS, never without n and a 95 % interval; and the change between two of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal, NamedTuple

Unit = Literal["share", "points", "mean"]
Z95: Final = NormalDist().inv_cdf(0.975)

# Three pretended answers (3/4 lowest, 3/2 middle, 3/4 highest) keep the interval honest when everybody says the same.
# AW(3, T) of Rocks (2016), arXiv:1601.07235, there for the NPS.
_PRETENDED: Final = 3.0
_PRETENDED_AT_EACH_END: Final = 0.75


class Uncut(NamedTuple):
    """What comes out of randomized answers: without bias, so that it may lie beyond what can be."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A number with its interval: a "share" in 0..1, "points" (NPS) in -100..100, or a "mean" on its scale.

    `uncut` is given for randomized answers: what can be compared without losing how unsure it is.
    """

    value: float
    low: float
    high: float
    n: int
    unit: Unit = "share"
    uncut: Uncut | None = None

    @property
    def measured(self) -> Uncut:
        return self.uncut or Uncut(self.value, self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How much a score moved, in its own unit, with a 95 % interval."""

    value: float
    low: float
    high: float
    unit: Unit = "share"

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def share(hits: int, n: int, *, z: float = Z95) -> Score:
    """Return the share `hits / n` with its Wilson interval; all three lie in 0..1.

    Wilson (1927), doi:10.1080/01621459.1927.10502953.
    Raises: ValueError: `n` is 0 or `hits` is outside 0..n.
    """
    if n < 1 or not 0 <= hits <= n:
        raise ValueError(f"no share of {hits} in {n}")
    value = hits / n
    center = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else min(value, center - half)
    high = 1.0 if hits == n else max(value, center + half)
    return Score(value=value, low=low, high=high, n=n)


def noised_share(hits: int, n: int, *, spread: float) -> Score:
    """Return the share of noised counts: Wilson's interval, widened by the noise.

    `spread` is the standard deviation of the noise in `hits`, and in the `n - hits` others; it enters by the
    first-order variance of the ratio. Raises: ValueError: see `share`.
    """
    plain = share(hits, n)
    off = Z95 * spread * math.hypot(1 - plain.value, plain.value) / n
    low = max(0.0, plain.value - math.hypot(plain.value - plain.low, off))
    high = min(1.0, plain.value + math.hypot(plain.high - plain.value, off))
    return Score(value=plain.value, low=low, high=high, n=n)


def chances(k: int, epsilon: float) -> tuple[float, float]:
    """Return p and q: how likely the true one of `k` options is sent, and each other one."""
    other = 1 / (math.exp(epsilon) + k - 1)
    return math.exp(epsilon) * other, other


def debiased(
    seen: Score, *, options: int, epsilon: float, all_options: float, lowest: float = 0.0, highest: float = 1.0
) -> Score:
    """Return the score behind answers that phones randomized by k-ary randomized response over `options`.

    With p the chance of the true answer and q of each other one, what is seen is (p - q) * truth + q * `all_options`,
    where `all_options` is the sum of what each option counts (1 for a share of one option). Value and interval are
    mapped back. A value beyond lowest..highest is moved to its end, its interval with it, and that is cut: it covers
    the truth wherever it did before, and never shrinks to a point. Kairouz, Bonawitz, Ramage (2016), arXiv:1602.07387.
    Raises: ValueError: fewer than two options, or `epsilon` is not positive.
    """
    if options < 2 or not epsilon > 0:
        raise ValueError("needs two options and a positive epsilon")
    told, other = chances(options, epsilon)
    uncut = Uncut(*((part - other * all_options) / (told - other) for part in (seen.value, seen.low, seen.high)))
    value = min(highest, max(lowest, uncut.value))
    moved = value - uncut.value
    low, high = max(lowest, uncut.low + moved), min(highest, uncut.high + moved)
    return Score(value=value, low=low, high=high, n=seen.n, unit=seen.unit, uncut=uncut)


def debiased_share(hits: int, n: int, *, options: int, epsilon: float) -> Score:
    """Return the share of one of `options` behind randomized answers. Raises: ValueError: see `share`, `debiased`."""
    return debiased(share(hits, n), options=options, epsilon=epsilon, all_options=1)


def mean(counts: Mapping[int, int], *, lowest: int, highest: int) -> Score:
    """Return the mean of answers on a scale; `counts` maps each value to how many said it.

    The interval is that of the multinomial variance with three pretended answers (see the top of this module).
    Raises: ValueError: no answers, a negative count, or a value outside the scale.
    """
    n = sum(counts.values())
    if n < 1 or any(count < 0 or not lowest <= value <= highest for value, count in counts.items()):
        raise ValueError(f"no mean of {dict(counts)} on {lowest}..{highest}")
    value = sum(point * count for point, count in counts.items()) / n
    middle = (lowest + highest) / 2
    weights = [(float(point), float(count)) for point, count in counts.items()]
    weights += [(float(end), _PRETENDED_AT_EACH_END) for end in (lowest, highest)]
    weights.append((middle, _PRETENDED - 2 * _PRETENDED_AT_EACH_END))
    total = n + _PRETENDED
    center = sum(point * weight for point, weight in weights) / total
    variance = sum(weight * (point - center) ** 2 for point, weight in weights) / total
    half = Z95 * math.sqrt(variance / total)
    low = min(value, max(float(lowest), center - half))
    high = max(value, min(float(highest), center + half))
    return Score(value=value, low=low, high=high, n=n, unit="mean")


def csat(counts: Mapping[int, int], *, scale: int = 5) -> Score:
    """Return the satisfied share: the top two of five (of a scale below four, the top one)."""
    edge = satisfied_from(scale)
    return share(sum(count for value, count in counts.items() if value >= edge), sum(counts.values()))


def satisfied_from(scale: int) -> int:
    """Return the lowest answer that counts as satisfied on 1..scale."""
    return scale - 1 if scale >= 4 else scale


def nps(counts: Mapping[int, int]) -> Score:
    """Return promoters (9, 10) minus detractors (0..6) in -100..100, with the variance of the trinomial."""
    signs = {1: 0, 0: 0, -1: 0}
    for value, count in counts.items():
        if not 0 <= value <= 10:
            raise ValueError(f"{value} is not an NPS answer")
        signs[1 if value >= 9 else -1 if value <= 6 else 0] += count
    score = mean(signs, lowest=-1, highest=1)
    return Score(value=100 * score.value, low=100 * score.low, high=100 * score.high, n=score.n, unit="points")


def thumbs(counts: Mapping[int, int]) -> Score:
    """Return the share of thumbs up; 1 is up, 0 is down."""
    return share(counts.get(1, 0), sum(counts.values()))


def score(
    question_type: str, counts: Mapping[int, int], *, scale: int = 5, epsilon: float | None = None
) -> Score | None:
    """Return a question's score from how many gave which answer; None without answers or for a type without score.

    `epsilon` is given when phones randomized the answers (k-RR); the score is debiased then.
    """
    if sum(counts.values()) < 1:
        return None
    match question_type:
        case "csat":
            seen, all_options = csat(counts, scale=scale), float(scale - satisfied_from(scale) + 1)
            options, lowest, highest = scale, 0.0, 1.0
        case "thumbs":
            seen, all_options, options, lowest, highest = thumbs(counts), 1.0, 2, 0.0, 1.0
        case "nps":
            seen, all_options, options, lowest, highest = nps(counts), -500.0, 11, -100.0, 100.0
        case "ces" | "rating":
            seen, all_options = mean(counts, lowest=1, highest=scale), scale * (scale + 1) / 2
            options, lowest, highest = scale, 1.0, float(scale)
        case _:
            return None
    if epsilon is None:
        return seen
    bounds = {"lowest": lowest, "highest": highest}
    return debiased(seen, options=options, epsilon=epsilon, all_options=all_options, **bounds)


def difference(after: Score, before: Score) -> Change:
    """Return `after - before` with the interval made of both intervals.

    For shares this is method 10 of Newcombe (1998), Statistics in Medicine 17, 873-890; for the others its
    generalization by Zou and Donner (2008), doi:10.1002/sim.3095.
    Raises: ValueError: the two have different units.
    """
    if after.unit != before.unit:
        raise ValueError(f"no difference of {after.unit} and {before.unit}")
    value = after.value - before.value
    new, old = after.measured, before.measured
    down = math.hypot(new.value - new.low, old.high - old.value)
    up = math.hypot(new.high - new.value, old.value - old.low)
    return Change(value=value, low=value - down, high=value + up, unit=after.unit)


def p_below(low_one: Score, reference: Score) -> float:
    """Return how likely a score this far below `reference` is by chance, from its interval (one-sided, normal)."""
    value, _, high = low_one.measured
    spread = (high - value) / Z95
    if spread <= 0:
        return 1.0
    return NormalDist().cdf((value - reference.measured.value) / spread)


def discoveries(p_values: Sequence[float], rate: float = 0.05) -> frozenset[int]:
    """Return the indices that stand when at most `rate` of what is found may be false, on average.

    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    in_order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    passing = [rank for rank, index in enumerate(in_order, 1) if p_values[index] <= rate * rank / len(p_values)]
    return frozenset(in_order[: max(passing, default=0)])
