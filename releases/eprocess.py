"""Evidence against "no worse than allowed" that may be looked at as often as one likes.

Both arms are compared only inside one event hour and one stratum of devices, so neither a widening release nor a
weekend that doubles every crash can pass for an effect. An e-value of 1/α or more, at any look, is an alarm that is
false with probability α at most (Ville's inequality).

Rates: given the harms of a stratum, those of the candidate are hypergeometric; a likelihood ratio is convex in them,
so its mean is at most the binomial one, which is 1 (Hoeffding 1963, doi:10.1080/01621459.1963.10500830).
Means: one-sided normal mixture (Howard et al. 2021, doi:10.1214/20-AOS1991), asymptotic: not for rare events. Pure.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from releases.measurements import Arm, Stratum

HARM_RATIOS: Final = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
# In units of effective pairs; its 5 % boundary is 11.32, 27.66 and 94.65 at variances of 10, 100 and 1000.
MIXTURE_RHO: Final = 14.92
Z95: Final = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Candidate minus baseline (or their ratio minus one) with its 95 % interval, for showing."""

    value: float
    low: float
    high: float


def log_e_of_rates(cells: Iterable[tuple[Stratum, float]]) -> float:
    """Return the log e-value of harms, each cell with the ratio of rates that is still allowed in it (at least 1).

    That ratio may depend on earlier hours only. `total` counts harms.
    """
    evidence = [0.0] * len(HARM_RATIOS)
    for cell, allowed in cells:
        if not cell.baseline.n or not cell.candidate.n:
            continue
        weight = allowed * cell.candidate.n
        theta = weight / (weight + cell.baseline.n)
        for i, ratio in enumerate(HARM_RATIOS):
            expected = math.log(ratio * theta + 1 - theta)
            evidence[i] += cell.candidate.total * (math.log(ratio) - expected) - cell.baseline.total * expected
    top = max(evidence)
    return top + math.log(sum(math.exp(each - top) for each in evidence) / len(evidence))


def log_e_of_means(cells: Iterable[Stratum], *, allowed: float) -> float:
    """Return the log e-value of "the candidate's mean is more than `allowed` above the baseline's".

    A phone that is slow in one hour is slow in the next: what an install repeats is not counted as new evidence.
    """
    used = [cell for cell in cells if cell.pairs]
    pairs = sum(cell.pairs for cell in used)
    spread = _variance(used, shift=allowed)
    if not pairs or spread <= 0:
        return 0.0
    gap = sum(cell.pairs * (_mean(cell.candidate) - allowed - _mean(cell.baseline)) for cell in used)
    repeated = repeats(used)
    return mixture(gap / repeated / math.sqrt(spread), pairs / repeated)


def repeats(cells: Iterable[Stratum]) -> float:
    """Return how often, at most, an install is in the cells on average: all values over those of the fullest hour."""
    hours: dict[datetime, int] = defaultdict(int)
    for cell in cells:
        hours[cell.hour] += cell.baseline.n + cell.candidate.n
    return sum(hours.values()) / max(hours.values()) if hours else 1.0


def mixture(gap: float, variance: float, rho: float = MIXTURE_RHO) -> float:
    """Return ln 2 + ½ ln(ρ/(V+ρ)) + U²/(2(V+ρ)) + ln Φ(U/√(V+ρ))."""
    scaled = gap / math.sqrt(variance + rho)
    return math.log(2) + 0.5 * math.log(rho / (variance + rho)) + scaled * scaled / 2 + _log_normal_cdf(scaled)


def difference_of_rates(cells: Iterable[Stratum]) -> Effect:
    """Return the Mantel-Haenszel risk difference; the widths are Newcombe's, so they never collapse at 0 harms.

    Newcombe (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    used = [cell for cell in cells if cell.pairs]
    pairs = sum(cell.pairs for cell in used)
    value = sum(cell.pairs * (_mean(cell.candidate) - _mean(cell.baseline)) for cell in used) / pairs
    rate_t, low_t, high_t = _wilson([cell.candidate for cell in used])
    rate_c, low_c, high_c = _wilson([cell.baseline for cell in used])
    below = math.hypot(rate_t - low_t, high_c - rate_c)
    above = math.hypot(high_t - rate_t, rate_c - low_c)
    return Effect(value=value, low=max(-1.0, value - below), high=min(1.0, value + above))


def ratio_of_rates(cells: Iterable[Stratum]) -> Effect | None:
    """Return the Mantel-Haenszel risk ratio minus one, None while an arm has no harm.

    Variance of its logarithm: Greenland and Robins (1985), doi:10.2307/2530643.
    """
    p = q = spread = 0.0
    for cell in cells:
        if not cell.pairs:
            continue
        n_t, n_c, k_t, k_c = cell.candidate.n, cell.baseline.n, cell.candidate.total, cell.baseline.total
        n = n_t + n_c
        p += k_t * n_c / n
        q += k_c * n_t / n
        spread += (n_t * n_c * (k_t + k_c) - k_t * k_c * n) / n**2
    if not p or not q:
        return None
    width = Z95 * math.sqrt(max(0.0, spread) / (p * q))
    return Effect(value=p / q - 1, low=p / q * math.exp(-width) - 1, high=p / q * math.exp(width) - 1)


def difference_of_means(cells: Iterable[Stratum]) -> Effect:
    """Return the stratified difference of means, each stratum weighed by its effective pairs."""
    used = [cell for cell in cells if cell.pairs]
    pairs = sum(cell.pairs for cell in used)
    value = sum(cell.pairs * (_mean(cell.candidate) - _mean(cell.baseline)) for cell in used) / pairs
    width = Z95 * math.sqrt(max(0.0, _variance(used, shift=value)) * repeats(used) / pairs)
    return Effect(value=value, low=value - width, high=value + width)


def _variance(cells: list[Stratum], *, shift: float) -> float:
    """Return Σ pairs · pooled variance / Σ pairs, the candidate's values lowered by `shift`."""
    weighed = pairs = 0.0
    for cell in cells:
        t, c = cell.candidate, cell.baseline
        n = t.n + c.n
        if n < 2:
            continue
        total = t.total - t.n * shift + c.total
        squares = t.total_sq - 2 * shift * t.total + t.n * shift * shift + c.total_sq
        weighed += cell.pairs * max(0.0, squares - total * total / n) / (n - 1)
        pairs += cell.pairs
    return weighed / pairs if pairs else 0.0


def standardized(cells: Iterable[Stratum]) -> tuple[float, float]:
    """Return both arms' means with the same weights over the strata, baseline first.

    Their difference is the stratified difference and their ratio the Mantel-Haenszel ratio: what is shown adds up.
    """
    used = [cell for cell in cells if cell.pairs]
    pairs = sum(cell.pairs for cell in used)
    baseline = sum(cell.pairs * _mean(cell.baseline) for cell in used) / pairs
    return baseline, sum(cell.pairs * _mean(cell.candidate) for cell in used) / pairs


def _mean(arm: Arm) -> float:
    return arm.total / arm.n


def _wilson(arms: list[Arm]) -> tuple[float, float, float]:
    n = sum(arm.n for arm in arms)
    rate = min(1.0, max(0.0, sum(arm.total for arm in arms) / n))
    scale = 1 + Z95**2 / n
    center = (rate + Z95**2 / (2 * n)) / scale
    width = Z95 * math.sqrt(rate * (1 - rate) / n + Z95**2 / (4 * n * n)) / scale
    return rate, min(rate, max(0.0, center - width)), max(rate, min(1.0, center + width))


def _log_normal_cdf(x: float) -> float:
    if x > -30:
        return math.log(0.5 * math.erfc(-x / math.sqrt(2)))
    return -x * x / 2 - math.log(-x * math.sqrt(2 * math.pi))  # the tail's first term; erfc is 0 here
