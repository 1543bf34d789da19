"""Evidence of amounts: each leaf's shift against the error of the forecast, which is learned from the table.

A cause may shift its leaves by about the same share (one idea for each of a ladder of shares), or each by a share of
its own (an idea for each side). A leaf's log-likelihood ratio is capped, so that none decides alone. Pure.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from feedback.evidence import Mask, slice_sums
from feedback.lattice import Lattice
from feedback.leaves import Direction, Floats, Leaves

CAP: Final = 6.0
STEP: Final = 1.6
NARROWEST: Final = 0.004
HALF_NORMAL_40: Final = 0.5244
# A forecast further off for most leaves than this is no bias: then everyone is the cause.
MOST_BIAS: Final = 0.15
# What is wrong must be so many times larger than what the forecast is off for whole slices of at least so many leaves.
SHARED: Final = 7.0
LEAST_LEAVES: Final = 8
# How many leaves the normal law counts for beside the errors that were seen.
PRETENDED: Final = 100.0


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
        """Return the log-density of each leaf's shift where nothing is wrong: normal and strays, or as seen."""
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
        ideas: list[Floats] = []
        sides: list[float] = []
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
        found: Floats = np.clip(ratios, -CAP, CAP) * self._told
        return found

    def columns(self, mask: Mask) -> Floats:
        found: Floats = self._shape * mask
        return found

    def open(self, rest: Mask) -> None:
        """Nothing to do: what is usual was learned at the start."""

    def score(self, sums: Floats) -> Floats:
        found: Floats = sums.max(axis=0)
        return np.asarray(np.maximum(found, 0.0))

    def surprise(self, sums: Floats, scores: Floats) -> Floats:  # noqa: ARG002 (other evidence needs the sums)
        return scores

    def parts(self, whole: Floats, parts: Floats) -> Floats:
        """Return the score of each part of a slice if what is wrong there is what is wrong with the whole."""
        found: Floats = parts[int(np.argmax(whole))]
        return found

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
