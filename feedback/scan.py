"""Scan: the slices of a lattice by evidence beyond what it takes to name them, and the search for the fewest. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from feedback.evidence import Evidence, Mask, slice_sums
from feedback.lattice import Cuboid, Lattice, Values
from feedback.leaves import Floats

# Of each cuboid so many are looked at closer, of all of them together so many.
KEPT_EACH: Final = 12
KEPT: Final = 60
MOST_PEELED: Final = 8
# A rule known from before stands while it explains nearly as much as the best one, and mostly the same leaves.
STEADY_SHARE: Final = 0.1
STEADY_NATS: Final = 3.0
STEADY_OVERLAP: Final = 0.5
# Sums are kept between scans up to so many numbers (8 bytes each).
MOST_KEPT_SUMS: Final = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """A conjunction: `gain` is its evidence (`score`) less what it takes to name it, both in nats.

    `surprise` is what chance is judged by; for most kinds of evidence it is the score.
    """

    cuboid: Cuboid
    number: int
    score: float
    surprise: float

    @property
    def gain(self) -> float:
        return self.score - self.cuboid.cost

    @property
    def mask(self) -> Mask:
        found: Mask = self.cuboid.numbers == self.number
        return found

    @property
    def key(self) -> tuple[tuple[int, ...], int]:
        return self.cuboid.attributes, self.number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """A slice that was taken, and the slices that vie with it to describe the same leaves, best first."""

    best: Slice
    rivals: tuple[Slice, ...]

    def weights(self) -> list[float]:
        """Return the share of each description, the best first, in what all that vie for the same leaves could be."""
        gains = [self.best.gain, *(rival.gain for rival in self.rivals)]
        weights = [math.exp(min(0.0, gain - max(gains))) for gain in gains]
        return [weight / sum(weights) for weight in weights]


class Scan:
    """All slices of a lattice over the leaves that are still open.

    `looked_at`: how many slices of so many conditions are looked at; each number of conditions then has the same part
    of what may be told falsely, so that the few coarse slices do not pay for the many fine ones. `only_told`: a slice
    of a value that was not told is no answer. `alpha`: what may be chance is passed over for the next best.
    """

    def __init__(
        self, lattice: Lattice, evidence: Evidence, *, known: Collection[Values] = (),
        looked_at: Sequence[int] | None = None, only_told: bool = False, alpha: float = 1.0,
    ) -> None:  # fmt: skip
        self.lattice = lattice
        self.evidence = evidence
        self._looked_at = looked_at
        self._only_told = only_told
        self._alpha = alpha
        self._known = [place for values in known if (place := lattice.find(values)) is not None]
        self._summed = np.zeros(len(lattice.leaves), dtype=bool)
        self._sums: list[Floats] = []

    def best(self, rest: Mask) -> Found | None:
        """Return the slice that gains most and is no worse than its parts one by one; None if none gains."""
        self.evidence.open(rest)
        columns = self.evidence.columns(rest)
        ranked = self.ranked(columns, rest)
        for candidate in ranked:
            if candidate.gain <= 0:
                return None
            if self._alpha < 1 and self.chance(candidate) > self._alpha:
                continue
            if not self._parts_tell_more(candidate, columns, rest):
                return self._with_rivals(self._steady(candidate, columns, rest), ranked, rest)
        return None

    def ranked(self, columns: Floats, rest: Mask) -> list[Slice]:
        """Return the slices that gain most, best first. `columns` are those of the evidence, 0 outside `rest`."""
        found = []
        for cuboid, sums in zip(self.lattice, self._all_sums(columns, rest), strict=True):
            scores = self.evidence.score(sums)
            top = (
                np.argpartition(scores, -KEPT_EACH)[-KEPT_EACH:] if len(scores) > KEPT_EACH else np.arange(len(scores))
            )
            surprises = self.evidence.surprise(sums[:, top], scores[top])
            found += [
                Slice(cuboid=cuboid, number=int(each), score=float(scores[each]), surprise=float(surprise))
                for each, surprise in zip(top, surprises, strict=True)
            ]
        found.sort(key=lambda each: (-each.gain, each.cuboid.attributes))
        if self._only_told:
            return list(islice((each for each in found if self._is_told(each)), KEPT))
        return found[:KEPT]

    def chance(self, one: Slice) -> float:
        """Return the chance that anything looked at is as surprising as this slice when nothing is wrong."""
        if self._looked_at is None:
            return self.evidence.p_value(one.surprise, self.lattice.slices)
        return self.evidence.p_value(one.surprise, len(self._looked_at) * self._looked_at[len(one.cuboid.attributes)])

    def _is_told(self, one: Slice) -> bool:
        return all(value for _, value in self.lattice.values(one.cuboid, one.number))

    def _all_sums(self, columns: Floats, rest: Mask) -> Iterator[Floats]:
        """Yield the sums of each cuboid; if leaves' columns never change, only those that came or went are added."""
        if not self.evidence.is_fixed or self.lattice.slices * len(columns) > MOST_KEPT_SUMS:
            yield from (slice_sums(cuboid, columns) for cuboid in self.lattice)
            return
        rows = np.flatnonzero(rest != self._summed)
        whole = self.evidence.columns(np.ones(len(rest), dtype=bool))
        change = whole[:, rows] * np.where(rest[rows], 1.0, -1.0)
        self._summed = rest.copy()
        if not self._sums:
            self._sums = [np.zeros((len(columns), cuboid.size)) for cuboid in self.lattice]
        for cuboid, sums in zip(self.lattice, self._sums, strict=True):
            sums += slice_sums(cuboid, change, rows=rows)
            yield sums

    def _parts_tell_more(self, candidate: Slice, columns: Floats, rest: Mask) -> bool:
        """Whether some of the slice's parts gain more, taken one by one, than the slice with all that is in it.

        Parts have one condition more. All good ones of one attribute are tried together, and the best of any
        attribute one after the other, each without what was taken before.
        """
        inside = np.flatnonzero(candidate.mask & rest)
        mine = columns[:, inside]
        if not len(inside):
            return True  # nothing of it is left but what sums of floats leave behind
        whole = mine.sum(axis=1)
        # On the scale of the slice's own score, whose statistics are finer than the parts'.
        scale = candidate.score / max(float(self.evidence.parts(whole, whole[:, None])[0]), 1e-9)
        told = scale * self.evidence.parts(whole, mine)
        finer = self._finer(candidate.cuboid.attributes)
        total = 0.0
        for _ in range(MOST_PEELED):
            best, left = 0.0, None
            for place, cost in finer:
                codes = self.lattice.leaves.codes[inside, place]
                gains = np.bincount(codes, weights=told) - cost
                if total + float(gains[gains > 0].sum()) > candidate.gain:
                    return True
                part = int(np.argmax(gains))
                if gains[part] > best:
                    best, left = float(gains[part]), codes != part
            if left is None or not left.any():
                break
            total, inside, told = total + best, inside[left], told[left]
        return total > candidate.gain

    def _finer(self, choice: tuple[int, ...]) -> list[tuple[int, float]]:
        """Return the attributes that one more condition may name, and what it takes to name a slice then."""
        known = set(self.lattice.choices)
        places = [place for place in range(len(self.lattice.leaves.attributes)) if place not in choice]
        deeper = [(place, tuple(sorted((*choice, place)))) for place in places]
        return [(place, self.lattice.cuboid(finer).cost) for place, finer in deeper if finer in known]

    def _steady(self, best: Slice, columns: Floats, rest: Mask) -> Slice:
        for cuboid, number in self._known:
            old = self._slice(cuboid, number, columns)
            both, either = (best.mask & old.mask & rest).sum(), ((best.mask | old.mask) & rest).sum()
            loss = best.score - old.score
            if loss <= max(STEADY_NATS, STEADY_SHARE * best.score) and both >= STEADY_OVERLAP * either:
                return old
        return best

    def _slice(self, cuboid: Cuboid, number: int, columns: Floats) -> Slice:
        inside = columns[:, cuboid.numbers == number].sum(axis=1, keepdims=True)
        score = self.evidence.score(inside)
        surprise = self.evidence.surprise(inside, score)
        return Slice(cuboid=cuboid, number=number, score=float(score[0]), surprise=float(surprise[0]))

    def _with_rivals(self, best: Slice, ranked: Sequence[Slice], rest: Mask) -> Found:
        mine = best.mask & rest
        rivals = []
        for each in ranked:
            theirs = each.mask & rest
            if each.key != best.key and np.any(mine & theirs) and not np.array_equal(mine, theirs):
                rivals.append(each)
        return Found(best=best, rivals=tuple(rivals))

    def named(self, one: Slice) -> tuple[Slice, tuple[Slice, ...]]:
        """Return the name by which a slice is told, and its twins: one known before, else the shortest and first."""
        known = {(cuboid.attributes, number) for cuboid, number in self._known}
        alike = sorted([one, *self.twins(one)], key=lambda each: (each.key not in known, len(each.key[0]), each.key))
        return alike[0], tuple(alike[1:])

    def twins(self, one: Slice) -> list[Slice]:
        """Return the other slices that pick out the same leaves, coarse to fine."""
        mine = one.mask
        first = int(np.argmax(mine))
        found = []
        for cuboid in self.lattice:
            number = int(cuboid.numbers[first])
            if (cuboid.attributes, number) != one.key and np.array_equal(cuboid.numbers == number, mine):
                found.append(Slice(cuboid=cuboid, number=number, score=one.score, surprise=one.surprise))
        return [each for each in found if self._is_told(each)] if self._only_told else found


def search(scan: Scan, *, most: int, alpha: float, twice: bool = True) -> list[Found]:
    """Return the slices that together explain what is wrong, each beyond chance at `alpha` over all slices.

    `twice`: look at each again in the light of the others.
    """
    found: list[Found] = []
    rest = np.ones(len(scan.lattice.leaves), dtype=bool)
    while len(found) < most:
        best = scan.best(rest)
        if best is None or _is_chance(scan, best, alpha):
            break
        found.append(best)
        rest &= ~best.best.mask
    return _look_again(scan, found, alpha) if twice and len(found) > 1 else found


def _is_chance(scan: Scan, found: Found, alpha: float) -> bool:
    return scan.chance(found.best) > alpha


def _look_again(scan: Scan, found: list[Found], alpha: float) -> list[Found]:
    """Return each slice as it would be chosen with the others known; one that the others explain is dropped."""
    kept = list(found)
    for place in range(len(found)):
        others = [each for each in kept if each is not found[place]]
        rest = np.ones(len(scan.lattice.leaves), dtype=bool)
        for other in others:
            rest &= ~other.best.mask
        again = scan.best(rest)
        at = kept.index(found[place])
        if again is None or _is_chance(scan, again, alpha):
            del kept[at]
        else:
            kept[at] = again
    return kept
