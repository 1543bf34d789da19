"""Disclosure: which numbers about groups of people may be told, given what was told before.

Every way out asks `withhold`. A group is a set of atoms: things that are counted and lie apart, such as the answers of
one leaf cohort between two moments. An attacker who knows all that was told (totals, parts, other periods, other
filters) solves the linear equations between them. We solve them first: a set of people smaller than the minimum must
not come out, neither as a group nor by adding and subtracting any number of groups.

Why linear algebra is enough: atoms that no told group tells apart are one unknown, and each unknown counts at least
one answer. The attacker also knows that counts are not negative, which cuts the solutions to a polytope; but the true
counts are positive, so they lie in its relative interior, and a sum is fixed on the polytope just when it is fixed on
its affine hull: when its vector lies in the row space of the equations. (Linear programming, as the tests attack with,
finds the same.) The equations are solved modulo a prime of 61 bits, which is exact but for a chance of about 1e-15.

The method: Fischetti and Salazar (2000), doi:10.1287/mnsc.46.7.1008 on what complementary suppression has to withstand.
Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

Atoms = frozenset[Hashable]
People = Callable[[Iterable[Hashable]], int]
Row = dict[int, int]

PRIME: Final = 2**61 - 1
# Unknowns that hang together are searched whole up to so many; beyond that we cannot be sure, and withhold.
MOST_SEARCHED: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """`given` is the set of too few people that comes out, `around` all atoms of the groups that it comes out of."""

    given: Atoms
    around: Atoms


def withhold(groups: Sequence[Atoms], *, people: People, minimum: int, told: Sequence[Atoms] = ()) -> frozenset[int]:
    """Return the places of those `groups` that must not be told.

    Withheld are all of fewer than `minimum` people, and then the smallest others until nothing of what remains, taken
    together with all that was `told` before, gives a set of fewer; of those, what was withheld in vain is given back.
    What is out already (answers come late, or are erased) is out. `people` counts the people in a union of atoms. A
    group without atoms is told: there is nobody in it.
    """
    sizes = [people(group) for group in groups]
    small = {place for place, size in enumerate(sizes) if 0 < size < minimum}
    in_order = sorted(range(len(groups)), key=lambda place: (sizes[place], place))
    known = {leak.given for leak in leaks(told, people=people, minimum=minimum)}

    def new_leak(hidden: set[int]) -> Leak | None:
        open_ = [groups[place] for place in in_order if place not in hidden]
        found = leaks([*told, *open_], people=people, minimum=minimum)
        return next((leak for leak in found if leak.given not in known), None)

    hidden = set(small)
    while (leak := new_leak(hidden)) is not None:
        open_ = [place for place in in_order if place not in hidden and groups[place]]
        if not open_:
            break
        hidden.add(next((place for place in open_ if groups[place] & leak.around), open_[0]))
    for place in reversed(in_order):
        if place in hidden - small and new_leak(hidden - {place}) is None:
            hidden.remove(place)
    return frozenset(hidden)


def leaks(told: Sequence[Atoms], *, people: People, minimum: int) -> Iterator[Leak]:
    """Find every set of fewer than `minimum` people that what was told gives away."""
    groups = list(dict.fromkeys(group for group in told if group))
    unknowns = _unknowns(groups)
    sizes = [people(atoms) for atoms, _ in unknowns]
    order = sorted(range(len(unknowns)), key=lambda each: (sizes[each] < minimum, each))
    first_small = sum(size >= minimum for size in sizes)
    if first_small == len(unknowns):
        return
    column = {unknown: place for place, unknown in enumerate(order)}
    rows: list[Row] = [{} for _ in groups]
    for unknown, (_, members) in enumerate(unknowns):
        for group in members:
            rows[group][column[unknown]] = 1
    small = [row for pivot, row in _eliminated(rows).items() if pivot >= first_small]
    for part in _components(_reduced(small)):
        for chosen in _given_away(part):
            given = frozenset[Hashable]().union(*(unknowns[order[each]][0] for each in chosen))
            if len(part) > MOST_SEARCHED or 0 < people(given) < minimum:
                touched = {group for row in part for each in row for group in unknowns[order[each]][1]}
                yield Leak(given=given, around=frozenset[Hashable]().union(*(groups[group] for group in touched)))


def disjoint(counts: Sequence[int]) -> tuple[tuple[Atoms, ...], People]:
    """Return one atom for each count of a table whose cells lie apart, and how to count people in them."""
    return tuple(frozenset({place}) for place in range(len(counts))), lambda atoms: sum(
        counts[place] for place in atoms if isinstance(place, int)
    )


def _unknowns(groups: Sequence[Atoms]) -> list[tuple[Atoms, tuple[int, ...]]]:
    """Return the sets of atoms that no group tells apart, each with the groups it is in."""
    members: dict[Hashable, list[int]] = defaultdict(list)
    for place, group in enumerate(groups):
        for atom in group:
            members[atom].append(place)
    alike: dict[tuple[int, ...], set[Hashable]] = defaultdict(set)
    for atom, places in members.items():
        alike[tuple(places)].add(atom)
    return [(frozenset(alike[places]), places) for places in sorted(alike)]


def _eliminated(rows: Iterable[Row]) -> dict[int, Row]:
    """Return a basis of the row space in echelon form, by the first column of each row, which is 1."""
    basis: dict[int, Row] = {}
    for row in sorted(rows, key=len):
        left = dict(row)
        while left:
            pivot = min(left)
            if pivot not in basis:
                inverse = pow(left[pivot], -1, PRIME)
                basis[pivot] = {place: value * inverse % PRIME for place, value in left.items()}
                break
            _subtract(left, basis[pivot], left[pivot])
    return basis


def _reduced(rows: Sequence[Row]) -> list[Row]:
    """Return echelon rows in which each pivot stands alone in its column."""
    by_pivot = {min(row): dict(row) for row in rows}
    for pivot in sorted(by_pivot, reverse=True):
        for place in [place for place in by_pivot[pivot] if place != pivot and place in by_pivot]:
            _subtract(by_pivot[pivot], by_pivot[place], by_pivot[pivot][place])
    return list(by_pivot.values())


def _subtract(row: Row, other: Row, factor: int) -> None:
    for place, value in other.items():
        left = (row.get(place, 0) - factor * value) % PRIME
        if left:
            row[place] = left
        else:
            row.pop(place, None)


def _components(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows parted so that no column is in two parts."""
    parts: list[tuple[set[int], list[Row]]] = []
    for row in rows:
        touching = [part for part in parts if not part[0].isdisjoint(row)]
        parts = [part for part in parts if part[0].isdisjoint(row)]
        columns = set(row).union(*(part[0] for part in touching))
        parts.append((columns, [row, *(each for part in touching for each in part[1])]))
    return [rows for _, rows in parts]


def _given_away(part: Sequence[Row]) -> Iterator[frozenset[int]]:
    """Find the sets of unknowns, each once or not at all, that are sums of the rows; all of it where that is too much.

    In such a sum each pivot counts once or not at all, so it is a sum of some of the rows, each taken once.
    """
    if len(part) > MOST_SEARCHED:
        yield frozenset(place for row in part for place in row)
        return
    for size in range(1, len(part) + 1):
        for chosen in combinations(part, size):
            total: Row = {}
            for row in chosen:
                _subtract(total, row, PRIME - 1)
            if all(value == 1 for value in total.values()):
                yield frozenset(total)
