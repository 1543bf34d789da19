"""Evidence of counts: the binomial or Poisson log-likelihood ratio of harms against expected ones.

Kulldorff (1997), doi:10.1080/03610929708831995; negative binomial where leaves vary more than by chance, and divided by
the overdispersion that the median slice shows. Pure.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy.stats import chi2

from feedback.evidence import Mask, slice_sums
from feedback.lattice import Lattice
from feedback.leaves import Direction, Floats, Leaves

MEDIAN_CHI2: Final = float(chi2.median(1))
# A slice must have this many expected harms to say something of overdispersion, and so many slices must; a leaf fewer.
LEAST_EXPECTED: Final = 5.0
LEAST_SLICES: Final = 30
LEAST_OF_LEAF: Final = 3.0


class CountEvidence:
    """Harms against expected ones; how much counts vary beyond chance is learned from leaves that no cause explains."""

    is_fixed = True

    def __init__(self, leaves: Leaves, lattice: Lattice, *, direction: Direction, rest: Mask | None = None) -> None:
        usual = leaves.exposures if leaves.expected is None else leaves.expected
        assert usual is not None
        self._observed, self._usual, self._exposures = leaves.observed, usual, leaves.exposures
        self._is_relative = leaves.expected is None
        self._direction = direction
        self.spread, self.overdispersion = 0.0, 1.0
        calm = np.ones(len(leaves), dtype=bool) if rest is None else rest
        self._all = self._totals(calm)
        self._rate = self._all[0] / max(self._all[1], 1e-300) if self._is_relative else 1.0
        if rest is not None and self._all[0] and self._all[1]:
            self.spread = self._leaf_spread(rest)
            self.overdispersion = self._inflation(lattice, rest)

    def columns(self, mask: Mask) -> Floats:
        exposed = self._usual if self._exposures is None else self._exposures
        expected = self._usual * self._rate
        return np.stack([self._observed, self._usual, exposed, expected + self.spread * expected**2]) * mask

    def open(self, rest: Mask) -> None:
        self._all = self._totals(rest)

    def _totals(self, rest: Mask) -> tuple[float, float, float]:
        exposed = self._usual if self._exposures is None else self._exposures
        return float(self._observed[rest].sum()), float(self._usual[rest].sum()), float(exposed[rest].sum())

    def _leaf_spread(self, rest: Mask) -> float:
        """Return k if leaves vary as expected + k * expected²: with it the median leaf is as far off as by chance."""
        expected = self._usual[rest] * self._all[0] / self._all[1]
        seen = self._observed[rest][expected >= LEAST_OF_LEAF]
        expected = expected[expected >= LEAST_OF_LEAF]
        if len(seen) < LEAST_SLICES:
            return 0.0
        low, high = 0.0, 4.0
        if np.median((seen - expected) ** 2 / expected) <= 1.2 * MEDIAN_CHI2:
            return 0.0
        for _ in range(12):
            middle = (low + high) / 2
            far = np.median((seen - expected) ** 2 / (expected + middle * expected**2)) > MEDIAN_CHI2
            low, high = (middle, high) if far else (low, middle)
        return high

    def _inflation(self, lattice: Lattice, rest: Mask) -> float:
        """Return the median of slices' chi² over that of chance at the depth where it is highest, at least 1.

        Genomic control: Devlin and Roeder (1999), doi:10.1111/j.0006-341X.1999.00997.x.
        """
        columns, ratio = self.columns(rest), self._all[0] / self._all[1]
        found: dict[int, list[Floats]] = {}
        for cuboid in lattice:
            seen, usual, exposed, variance = slice_sums(cuboid, columns)
            expected = usual * ratio
            share = np.zeros_like(seen) if self._exposures is None else expected / np.maximum(exposed, 1e-300)
            variance = variance * np.clip(1 - share, 0, 1) * (1 - expected / self._all[0])
            is_large = (expected >= LEAST_EXPECTED) & (variance > 0)
            found.setdefault(len(cuboid.attributes), []).append((seen - expected)[is_large] ** 2 / variance[is_large])
        together = [np.concatenate(each) for each in found.values()]
        medians = [float(np.median(each)) for each in together if len(each) >= LEAST_SLICES]
        return max([1.0, *(median / MEDIAN_CHI2 for median in medians)])

    def score(self, sums: Floats) -> Floats:
        seen, expected, exposed, variance = sums
        if self._is_relative:
            expected = expected * self._all[0] / max(self._all[1], 1e-300)
        if self.spread > 0:
            ratio = _clumped(seen, expected, variance)
        elif self._is_relative:
            ratio = self._against_rest(seen, exposed)
        elif self._exposures is None:
            ratio = _kl(seen, expected) - seen + expected
        else:
            ratio = _kl(seen, expected) + _kl(exposed - seen, exposed - np.minimum(expected, exposed))
        return self._one_side(ratio, seen, expected) / self.overdispersion

    def surprise(self, sums: Floats, scores: Floats) -> Floats:  # noqa: ARG002 (other evidence needs the sums)
        return scores

    def parts(self, whole: Floats, parts: Floats) -> Floats:
        """Return the score of each part of a slice if what is wrong there is what is wrong with the whole."""
        seen_all, usual_all, _ = self._all
        rate = 1.0
        if self._is_relative:
            rate = max(seen_all - whole[0], 1e-9) / max(usual_all - whole[1], 1e-9)
        expected = max(whole[1] * rate, 1e-9)
        times = max(whole[0], 1e-9) / expected
        missed = expected * (times - 1)
        if self._exposures is not None:
            # What the unharmed tell, shared out by what was expected: parts differ in their usual rates.
            unharmed = max(whole[2] - whole[0], 1e-9)
            missed = unharmed * math.log(max(whole[2] - expected, 1e-9) / unharmed)
        found: Floats = (parts[0] * math.log(times) - parts[1] * rate * missed / expected) / self.overdispersion
        return found

    def _against_rest(self, seen: Floats, exposed: Floats) -> Floats:
        """Return the ratio of "another rate than the rest" to "the same" (Kulldorff's Bernoulli model)."""
        seen_all, _, exposed_all = self._all
        ratio = _bernoulli(seen, exposed) + _bernoulli(seen_all - seen, exposed_all - exposed)
        together = _bernoulli(np.asarray([seen_all]), np.asarray([exposed_all]))[0]
        found: Floats = np.maximum(ratio - together, 0.0)
        return found

    def _one_side(self, ratio: Floats, seen: Floats, expected: Floats) -> Floats:
        if self._direction == "both":
            return ratio
        found: Floats = np.where((seen > expected) == (self._direction == "rise"), ratio, 0.0)
        return found

    def p_value(self, score: float, slices: int) -> float:
        """Return the chance that any of so many slices scores as high (chi² with one degree, Bonferroni)."""
        sides = 1.0 if self._direction == "both" else 0.5
        return min(1.0, slices * sides * float(chi2.sf(2 * max(score, 0.0), 1)))


def _kl(seen: Floats, expected: Floats) -> Floats:
    """Return seen * ln(seen / expected), 0 where nothing was seen."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(seen > 0, seen * np.log(seen / np.maximum(expected, 1e-9)), 0.0)
    return found


def _clumped(seen: Floats, expected: Floats, variance: Floats) -> Floats:
    """Return the ratio for negative binomial counts of this variance, at least Poisson's."""
    safe = np.maximum(expected, 1e-9)
    k = np.maximum(variance - safe, 1e-9) / safe**2
    found: Floats = _kl(seen, safe) - (seen + 1 / k) * np.log((1 + k * seen) / (1 + k * safe))
    return np.maximum(found, 0.0)


def _bernoulli(seen: Floats, exposed: Floats) -> Floats:
    """Return the log-likelihood of so many harms among the exposed at their own rate."""
    found: Floats = _kl(seen, exposed) + _kl(exposed - seen, exposed)
    return found
