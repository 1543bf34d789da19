"""Evidence: how much likelier the leaves of a slice are if it is a cause than if nothing is wrong, as sums over leaves.

Counts: the binomial or Poisson log-likelihood ratio of c harms against b expected (Kulldorff 1997,
doi:10.1080/03610929708831995), divided by the overdispersion that the median slice shows. Amounts: each leaf's own
ratio of "shifted by about m" or "anywhere on this side" to the learned error of the forecast, capped, so that no leaf
decides alone. Both are sums of columns over leaves, so a scan of all slices is a few `bincount`s. Pure.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from feedback.lattice import Cuboid, Lattice
from feedback.leaves import Direction, Floats, Leaves

Mask = npt.NDArray[np.bool_]
MEDIAN_CHI2: Final = float(chi2.median(1))
# A slice must have this many expected harms to say something of overdispersion, and so many slices must.
LEAST_EXPECTED: Final = 5.0
LEAST_SLICES: Final = 30
LEAST_OF_LEAF: Final = 3.0
NARROWEST: Final = 0.004
MOST_BIAS: Final = 0.15
SHARED: Final = 7.0
PRETENDED: Final = 100.0
LEAST_LEAVES: Final = 8
CAP: Final = 6.0
STEP: Final = 1.6
HALF_NORMAL_40: Final = 0.5244


class Evidence(Protocol):
    """What a search needs: additive columns of the leaves, and the score of their sums.

    `is_fixed`: a leaf's columns are the same whatever else is open.
    """

    is_fixed: bool

    def columns(self, mask: Mask) -> Floats: ...
    def open(self, rest: Mask) -> None: ...
    def score(self, sums: Floats) -> Floats: ...
    def parts(self, whole: Floats, parts: Floats) -> Floats: ...
    def p_value(self, score: float, slices: int) -> float: ...


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
        """Return k if leaves vary as expected + k * expected²: that for which the median leaf is as far off as chance."""
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
        """Return the median of slices' chi² over that of chance, at least 1 (genomic control: Devlin, Roeder 1999)."""
        columns, ratio = self.columns(rest), self._all[0] / self._all[1]
        found = []
        for cuboid in lattice:
            if 1 <= len(cuboid.attributes) <= 2:
                seen, usual, exposed, variance = slice_sums(cuboid, columns)
                expected = usual * ratio
                share = np.zeros_like(seen) if self._exposures is None else expected / np.maximum(exposed, 1e-300)
                variance = variance * np.clip(1 - share, 0, 1) * (1 - expected / self._all[0])
                is_large = (expected >= LEAST_EXPECTED) & (variance > 0)
                found.append((seen - expected)[is_large] ** 2 / variance[is_large])
        together = np.concatenate(found) if found else np.zeros(0)
        return max(1.0, float(np.median(together)) / MEDIAN_CHI2) if len(together) >= LEAST_SLICES else 1.0

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
        return np.maximum(ratio - together, 0.0)

    def _one_side(self, ratio: Floats, seen: Floats, expected: Floats) -> Floats:
        if self._direction == "both":
            return ratio
        return np.where((seen > expected) == (self._direction == "rise"), ratio, 0.0)

    def p_value(self, score: float, slices: int) -> float:
        """Return the chance that any of so many slices scores as high (chi² with one degree, Bonferroni)."""
        sides = 1.0 if self._direction == "both" else 0.5
        return min(1.0, slices * sides * float(chi2.sf(2 * max(score, 0.0), 1)))


def _kl(seen: Floats, expected: Floats) -> Floats:
    """Return seen * ln(seen / expected), 0 where nothing was seen."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = seen * np.log(seen / np.maximum(expected, 1e-9))
    return np.where(seen > 0, found, 0.0)


def _clumped(seen: Floats, expected: Floats, variance: Floats) -> Floats:
    """Return the ratio for negative binomial counts of this variance, at least Poisson's."""
    safe = np.maximum(expected, 1e-9)
    k = np.maximum(variance - safe, 1e-9) / safe**2
    found: Floats = _kl(seen, safe) - (seen + 1 / k) * np.log((1 + k * seen) / (1 + k * safe))
    return np.maximum(found, 0.0)


def _bernoulli(seen: Floats, exposed: Floats) -> Floats:
    """Return the log-likelihood of so many harms among the exposed at their own rate."""
    return _kl(seen, exposed) + _kl(exposed - seen, exposed)


class AmountEvidence:
    """Shifts of leaves against the error of the forecast, which is learned from the leaves that no cause explains yet.

    A leaf's shift is 2 * (real - predict) / (real + predict), in -2..2; `bias` is the shift that most leaves share.
    """

    is_fixed = True

    def __init__(self, leaves: Leaves, lattice: Lattice, *, direction: Direction, rest: Mask | None = None) -> None:
        assert leaves.expected is not None
        size = np.abs(leaves.observed) + np.abs(leaves.expected)
        self._told = size > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(self._told, 2 * (leaves.observed - leaves.expected) / size, 0.0)
        usual = self._told if rest is None else self._told & rest
        self.bias = _center(shift[usual])
        self._away = shift - self.bias
        self._error = np.maximum(_errors(size, self._away, usual), _rounding(leaves, size))
        near = np.clip(self._away, -3 * self._error, 3 * self._error)
        self._least = SHARED * shared_error(lattice, near, self._error, usual)
        self._null = self._usual_density(size, usual, learned=rest is not None)
        self._shape = self._ratios(direction)

    def _usual_density(self, size: Floats, usual: Mask, *, learned: bool) -> Floats:
        """Return the log-density of each leaf's shift where nothing is wrong: normal with strays; seen, if `learned`."""
        found = np.zeros(len(size))
        known = np.flatnonzero(self._told)
        groups = max(1, min(4, len(known) // 800)) if learned else 1
        for part in np.array_split(known[np.argsort(size[known], kind="stable")], groups):
            error, away = self._error[part], self._away[part]
            mine = usual[part]
            z = away[mine] / error[mine]
            stray = float(np.clip(np.mean(np.abs(z) > 4), 0.002, 0.2)) if learned and len(z) else 0.02
            density = np.exp(_normal(away, error))
            if learned and len(z):
                weight = len(z) / (len(z) + PRETENDED)
                density = (1 - weight) * density + weight * _seen_density(z, away / error) / error
            found[part] = np.log((1 - stray) * density + stray / 4)
        return found

    def _ratios(self, direction: Direction) -> Floats:
        """Return for each idea of what a cause does (a row) the log-likelihood ratio of each leaf."""
        typical = float(np.median(self._error[self._told])) if self._told.any() else 1.0
        least = max(typical, self._least)
        ideas, sides = [], []
        for side in (1.0, -1.0):
            if direction != "both" and (side > 0) != (direction == "rise"):
                continue
            room = 2.0 - side * self.bias - self._least / 2
            anywhere = (side * self._away > self._least / 2) / max(room, 0.1)
            ideas.append(0.9 * anywhere + 0.1 / 4)
            shift = least
            while shift < 2:
                narrow = np.exp(_normal(self._away - side * shift, np.hypot(self._error, 0.2 * shift)))
                ideas.append(0.7 * narrow + 0.25 * anywhere + 0.05 / 4)
                shift *= STEP
            sides += [side] * (len(ideas) - len(sides))
        ratios = np.log(np.stack(ideas)) - self._null
        # What moved to the other side is no evidence for this one, however strange it is.
        ratios = np.where(np.outer(sides, self._away) < 0, np.minimum(ratios, 0.0), ratios)
        return np.clip(ratios, -CAP, CAP) * self._told

    def columns(self, mask: Mask) -> Floats:
        return self._shape * mask

    def open(self, rest: Mask) -> None:
        """Nothing to do: what is usual was learned at the start."""

    def score(self, sums: Floats) -> Floats:
        found: Floats = sums.max(axis=0)
        return np.maximum(found, 0.0)

    def parts(self, whole: Floats, parts: Floats) -> Floats:
        """Return the score of each part of a slice if what is wrong there is what is wrong with the whole."""
        return parts[int(np.argmax(whole))]

    def p_value(self, score: float, slices: int) -> float:
        """Return at most the chance that any slice and idea scores as high: a likelihood ratio has mean 1 (Markov)."""
        return min(1.0, slices * len(self._shape) * math.exp(-max(score, 0.0)))


def _seen_density(known: Floats, asked: Floats) -> Floats:
    """Return the density of standardized shifts as seen, smoothed, at those asked; 0 beyond 6."""
    counts, edges = np.histogram(known, bins=60, range=(-6.0, 6.0))
    width = edges[1] - edges[0]
    kernel = np.exp(-0.5 * (np.arange(-4, 5) * width / 0.3) ** 2)
    smooth = np.convolve(counts, kernel / kernel.sum(), mode="same") / (len(known) * width)
    found: Floats = np.interp(asked, (edges[1:] + edges[:-1]) / 2, smooth, left=0.0, right=0.0)
    return found


def _rounding(leaves: Leaves, size: Floats) -> Floats:
    """Return the least error of leaves that were rounded to whole numbers."""
    assert leaves.expected is not None
    if np.any(leaves.observed != np.round(leaves.observed)):
        return np.zeros(len(size))
    return 0.6 / np.maximum(size, 1e-300)


def _normal(away: Floats, spread: Floats) -> Floats:
    found: Floats = -0.5 * (away / spread) ** 2 - np.log(spread) - 0.5 * math.log(2 * math.pi)
    return found


def _center(shifts: Floats) -> float:
    """Return the shift most leaves share: the shortest interval with 30 % of them, then the median of all near it."""
    if len(shifts) < 20:
        return 0.0
    in_order = np.sort(shifts)
    take = max(2, int(0.3 * len(in_order)))
    widths = in_order[take - 1 :] - in_order[: len(in_order) - take + 1]
    middles = (in_order[take - 1 :] + in_order[: len(in_order) - take + 1]) / 2
    # A forecast that is further off for most leaves is no bias: then everyone is the cause.
    sound = np.abs(middles) <= MOST_BIAS
    if not sound.any():
        return 0.0
    center = float(middles[sound][np.argmin(widths[sound])])
    for _ in range(5):
        error = float(np.quantile(np.abs(in_order - center), 0.4)) / HALF_NORMAL_40
        near = np.abs(in_order - center) <= max(3 * error, NARROWEST)
        center = float(np.median(in_order[near]))
    return float(np.clip(center, -MOST_BIAS, MOST_BIAS))


def _errors(size: Floats, away: Floats, usual: Mask) -> Floats:
    """Return each leaf's error of the forecast, learned in bins of leaves of like size, smoothed between them."""
    known = np.flatnonzero(usual & (size > 0))
    if not len(known):
        return np.full(len(size), 1.0)
    bins = np.array_split(known[np.argsort(size[known], kind="stable")], max(1, min(12, len(known) // 150)))
    places = np.asarray([float(np.median(np.log(size[part]))) for part in bins])
    errors = np.asarray([float(np.quantile(np.abs(away[part]), 0.4)) / HALF_NORMAL_40 for part in bins])
    errors = np.maximum(errors, max(NARROWEST, 0.2 * float(np.median(errors))))
    logs = np.log(np.maximum(size, 1e-300))
    found: Floats = np.exp(np.interp(logs, places, np.log(errors)))
    return found


def shared_error(lattice: Lattice, away: Floats, error: Floats, usual: Mask) -> float:
    """Return by how much the forecast is off for whole slices beyond chance: leaves that err together are no cause."""
    means, chance = [], []
    columns = np.stack([away * usual, np.minimum(error, 2.0) ** 2 * usual, usual.astype(np.float64)])
    for cuboid in lattice:
        if 1 <= len(cuboid.attributes) <= 2:
            total, variance, count = slice_sums(cuboid, columns)
            large = count >= LEAST_LEAVES
            means.append(total[large] / count[large])
            chance.append(variance[large] / count[large] ** 2)
    together = np.concatenate(means) if means else np.zeros(0)
    if len(together) < 10:
        return 0.0
    spread = float(np.quantile(np.abs(together - np.median(together)), 0.4)) / HALF_NORMAL_40
    return math.sqrt(max(0.0, spread**2 - float(np.median(np.concatenate(chance)))))


def slice_sums(cuboid: Cuboid, columns: Floats, *, rows: npt.NDArray[np.intp] | None = None) -> Floats:
    """Return the sums of each column over each slice: rows are columns, columns are slices.

    `rows`: the leaves that the columns are of, all when not given.
    """
    numbers = cuboid.numbers if rows is None else cuboid.numbers[rows]
    found = np.empty((len(columns), cuboid.size))
    for place, column in enumerate(columns):
        found[place] = np.bincount(numbers, weights=column, minlength=cuboid.size)
    return found
