"""Evidence of arms: how far the candidate's harm in a slice is beyond chance. The unit is an install.

n is what an install was exposed to (install-hours, ratings), total what came of it (harmed hours, the sum of ratings).

Whether it is chance: with r the total per n of both arms together and e = total - r * n of each install, the
candidate's sum of e is normal with variance m_c * m_b / (m * (m - 1)) * sum(e²) if installs fell into the arms by
chance (permutation of m = m_c + m_b installs; Pitman 1937). So one bad phone that fails every hour is one phone.

Which slice says it best: the log-likelihood ratio of the candidate's harms against those to be expected, in harms worth
one each. What is to be expected is learned from the whole baseline (a factor for each value of each attribute) and
corrected by the slice's own, as far as that tells more than PRIOR harms (gamma-Poisson).
Pure.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.stats import norm

from feedback.evidence import Mask, slice_sums
from feedback.lattice import Lattice
from feedback.leaves import Floats, Ints

LEAST_PER_ARM: Final = 5
LEAST_HARMED: Final = 5.0
PRIOR: Final = 20.0
# A value's factor is worth looking away from 1 for so many harms; the factors are fitted in so many rounds.
SHRINK: Final = 10.0
ROUNDS: Final = 4


class ArmEvidence:
    """`sums` has nine rows, summed over the installs of a leaf: installs, n and total, each of the baseline and of the
    candidate, then over both arms n², total² and n times total.

    `looked_at`: how many slices of so many conditions are large enough to be looked at.
    """

    is_fixed = True

    def __init__(self, sums: Floats, lattice: Lattice, *, minimum: int) -> None:
        self._sums = sums
        self._minimum = minimum
        whole = sums.sum(axis=1)
        self._installs = whole[0] + whole[1]
        # How many harms of one install go together: so many are worth one.
        self._clump = max(1.0, whole[7] / max(whole[4] + whole[5], 1e-300))
        usual = _usual_rates(lattice.leaves.codes, sums[2], sums[4] / self._clump)
        self._all = np.vstack([sums, usual * sums[2:4]])
        self.looked_at = self._large_slices(lattice)

    def columns(self, mask: Mask) -> Floats:
        found: Floats = self._all * mask
        return found

    def open(self, rest: Mask) -> None:
        """Nothing to do: a slice is compared with itself in the other arm."""

    def score(self, sums: Floats) -> Floats:
        """Return the log-likelihood ratio where the candidate is worse, 0 elsewhere and where too few are harmed."""
        harms = sums[5] / self._clump
        known = PRIOR + sums[4] / self._clump
        expected = np.maximum(sums[10] * known / (PRIOR + sums[9]), 1e-300)
        with np.errstate(divide="ignore", invalid="ignore"):
            told = np.where(harms > 0, harms * np.log(harms / expected), 0.0)
        ratio = told - (harms + known) * np.log((harms + known) / (expected + known))
        counts = (harms > expected) & (self._z(sums) > 0)
        found: Floats = np.where(counts, np.maximum(ratio, 0.0), 0.0)
        return found

    def surprise(self, sums: Floats, scores: Floats) -> Floats:
        """Return how many standard deviations of chance the candidate's excess is, 0 where the score is."""
        found: Floats = np.where(scores > 0, self._z(sums), 0.0)
        return found

    def parts(self, whole: Floats, parts: Floats) -> Floats:
        """Return the score of each part of a slice if what is wrong there is what is wrong with the whole."""
        usual = (PRIOR + whole[4] / self._clump) / (PRIOR + whole[9])
        expected = max(whole[10] * usual, 1e-300)
        times = max(whole[5] / self._clump / expected, 1e-300)
        found: Floats = parts[5] / self._clump * np.log(times) - parts[10] * usual * (times - 1)
        return found

    def p_value(self, score: float, slices: int) -> float:
        """Return the chance that any of so many slices is as surprising (normal, Bonferroni)."""
        return min(1.0, slices * float(norm.sf(max(score, 0.0))))

    def _z(self, sums: Floats) -> Floats:
        """Return the candidate's excess in standard deviations, half a harm off (continuity); 0 for what is small."""
        total, total_sq = sums[4] + sums[5], np.maximum(sums[7], 1e-300)
        rate = total / np.maximum(sums[2] + sums[3], 1e-300)
        excess = sums[5] - rate * sums[3] - total_sq / np.maximum(total, 1e-300) / 2
        installs = sums[0] + sums[1]
        by_chance = sums[0] * sums[1] / np.maximum(installs * (installs - 1), 1.0)
        variance = by_chance * np.maximum(sums[7] - 2 * rate * sums[8] + rate * rate * sums[6], 0.0)
        counts = self._is_large(sums) & (total**2 / total_sq >= LEAST_HARMED) & (variance > 0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found: Floats = np.where(counts, excess / np.sqrt(np.maximum(variance, 1e-300)), 0.0)
        return np.maximum(found, 0.0)

    def _is_large(self, sums: Floats) -> Mask:
        installs = sums[0] + sums[1]
        others = self._installs - installs
        # All but a few are not told apart from all: their numbers, subtracted, would be those of the few.
        apart = (others < 0.5) | (others >= self._minimum)
        large: Mask = (np.minimum(sums[0], sums[1]) >= LEAST_PER_ARM) & (installs >= self._minimum) & apart
        return large

    def _large_slices(self, lattice: Lattice) -> tuple[int, ...]:
        found = [0] * (1 + max(map(len, lattice.choices)))
        for cuboid in lattice:
            found[len(cuboid.attributes)] += int(self._is_large(slice_sums(cuboid, self._sums[:2])).sum())
        return tuple(found)


def _usual_rates(codes: Ints, n: Floats, harms: Floats) -> Floats:
    """Return the rate of harm of each leaf in the baseline: one for all, times a factor for each of its values."""
    rates = np.full(len(n), max(harms.sum(), 0.5) / max(n.sum(), 1e-300))
    for _ in range(ROUNDS):
        for column in codes.T:
            seen = np.bincount(column, weights=harms)
            expected = np.bincount(column, weights=rates * n)
            rates = rates * ((seen + SHRINK) / (expected + SHRINK))[column]
    return rates
