"""Localise: the fewest, shortest rules that explain where a table of leaves is worse than it should be.

A greedy scan over the lattice of conjunctions: the slice whose evidence exceeds what it takes to name it by most is
taken, unless its parts tell a better story one by one; its leaves are set aside and the rest is scanned again, until
nothing is beyond chance (Bonferroni over all slices). Then each rule is looked at again in the light of the others.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from feedback.amount_evidence import AmountEvidence
from feedback.count_evidence import CountEvidence
from feedback.evidence import slice_sums
from feedback.lattice import Lattice, Values
from feedback.leaves import MOST_ATTRIBUTES, Direction, Leaves
from feedback.scan import Found, Scan, Slice, search

DEPTH: Final = 3
MOST_CAUSES: Final = 12
ALPHA: Final = 0.05
LEAST_EXPLANATIONS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A rule and how well it explains what is wrong.

    `conditions` are in the order of the attributes, none for everyone; `twins` pick out the same leaves. `is_cause`:
    it is beyond chance and belongs to the fewest that explain everything; the others are what else it might be.
    `confidence` (0..1): that something is wrong there at all, times its weight among the rules that vie with it.
    """

    conditions: Values
    twins: tuple[Values, ...]
    is_cause: bool
    confidence: float
    observed: float
    expected: float
    leaves: int
    score: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Localisation:
    """What was found: the causes first, then at least so many others that five are told where there are five.

    `direction` is what was looked for.
    """

    explanations: tuple[Explanation, ...]
    slices: int
    direction: Direction

    @property
    def causes(self) -> tuple[Explanation, ...]:
        return tuple(each for each in self.explanations if each.is_cause)


def localise(
    leaves: Leaves,
    *,
    depth: int = DEPTH,
    alpha: float = ALPHA,
    direction: Direction | None = None,
    most: int = MOST_CAUSES,
    known: Collection[Values] = (),
) -> Localisation:
    """Return the causes and what else might explain the leaves.

    `direction`: if it is not given, harms among exposures are looked at for a rise, and for a fall only if nothing
    rose; harms against expected ones, and amounts, both ways at once. `known` are conditions told before: they are
    kept while they explain nearly as much as the best ones, so that names stay as numbers move.
    """
    is_rate = leaves.kind == "counts" and leaves.exposures is not None
    sides: tuple[Direction, ...] = ("rise", "fall") if is_rate else ("both",)
    told = [_one_way(leaves, depth, alpha, sides[0] if direction is None else direction, most, known)]
    if direction is None and len(sides) > 1 and not told[0].causes:
        told.append(_one_way(leaves, depth, alpha, sides[1], most, known))
    return told[-1] if told[-1].causes else told[0]


def _one_way(
    leaves: Leaves, depth: int, alpha: float, side: Direction, most: int, known: Collection[Values]
) -> Localisation:
    evidence: type[CountEvidence | AmountEvidence] = CountEvidence if leaves.kind == "counts" else AmountEvidence
    leaves = _narrowed(leaves, evidence, side)
    lattice = Lattice(leaves, depth=depth)
    first = search(Scan(lattice, evidence(leaves, lattice, direction=side)), most=most, alpha=alpha, twice=False)
    # With the causes out of the way it is known better how much the rest varies by chance.
    second = evidence(leaves, lattice, direction=side, rest=_rest(leaves, first))
    scan = Scan(lattice, second, known=known)
    return _told(scan, search(scan, most=most, alpha=alpha), side)


def _narrowed(leaves: Leaves, evidence: type[CountEvidence | AmountEvidence], side: Direction) -> Leaves:
    """Return the leaves by those attributes of which a value alone tells most, if there are too many to combine."""
    if len(leaves.attributes) <= MOST_ATTRIBUTES:
        return leaves
    alone = Lattice(leaves, depth=1)
    everything = np.ones(len(leaves), dtype=bool)
    weighed = evidence(leaves, alone, direction=side)
    weighed.open(everything)
    columns = weighed.columns(everything)
    gains = {
        cuboid.attributes[0]: float(weighed.score(slice_sums(cuboid, columns)).max()) - cuboid.cost
        for cuboid in alone
        if cuboid.attributes
    }
    places = sorted(sorted(gains, key=lambda place: -gains[place])[:MOST_ATTRIBUTES])
    return replace(
        leaves, attributes=tuple(leaves.attributes[place] for place in places),
        labels=tuple(leaves.labels[place] for place in places), codes=leaves.codes[:, places],
    )  # fmt: skip


def _rest(leaves: Leaves, found: Sequence[Found]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    rest = np.ones(len(leaves), dtype=bool)
    for each in found:
        rest &= ~each.best.mask
    return rest


def _told(scan: Scan, found: Sequence[Found], side: Direction) -> Localisation:
    causes = sorted(found, key=lambda each: -each.best.score)
    told = [_explanation(scan, each.best, is_cause=True, weight=each.weights()[0]) for each in causes]
    others: dict[object, tuple[float, Slice]] = {each.best.key: (0.0, each.best) for each in causes}
    spare = []
    for each in causes:
        for rival, weight in zip(each.rivals, each.weights()[1:], strict=True):
            if rival.key not in others:
                others[rival.key] = (weight, rival)
                spare.append((weight, rival))
    if len(told) + len(spare) < LEAST_EXPLANATIONS:
        rest = _rest(scan.lattice.leaves, found)
        scan.evidence.open(rest)
        for each_slice in scan.ranked(scan.evidence.columns(rest), rest):
            if each_slice.key not in others:
                spare.append((0.0, each_slice))
    spare.sort(key=lambda pair: (-pair[0], -pair[1].gain))
    wanted = max(0, LEAST_EXPLANATIONS - len(told))
    told += [_explanation(scan, rival, is_cause=False, weight=weight) for weight, rival in spare[:wanted]]
    return Localisation(explanations=tuple(told), slices=scan.lattice.slices, direction=side)


def _explanation(scan: Scan, one: Slice, *, is_cause: bool, weight: float) -> Explanation:
    lattice, mask = scan.lattice, one.mask
    p = scan.chance(one)
    leaves = lattice.leaves
    name, twins = scan.named(one) if is_cause else (one, ())
    return Explanation(
        conditions=lattice.values(name.cuboid, name.number),
        twins=tuple(lattice.values(twin.cuboid, twin.number) for twin in twins),
        is_cause=is_cause,
        confidence=(1 - p) * weight,
        observed=float(leaves.observed[mask].sum()),
        expected=_expected(leaves, mask),
        leaves=int(mask.sum()),
        score=one.score,
        p=p,
    )


def _expected(leaves: Leaves, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    if leaves.expected is not None:
        return float(leaves.expected[mask].sum())
    assert leaves.exposures is not None
    outside = float(leaves.exposures[~mask].sum())
    rate = float(leaves.observed[~mask].sum()) / outside if outside else 0.0
    return rate * float(leaves.exposures[mask].sum())
