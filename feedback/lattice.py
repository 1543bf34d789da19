"""The lattice of conjunctions: every rule of at most `depth` conditions that some leaf fulfils, numbered.

A cuboid is a choice of attributes; its slices are the combinations of their values that occur. Numbers of slices are
dense within a cuboid, so that sums over leaves are one `bincount`. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback.leaves import Ints, Leaves

# Slice numbers are kept between scans as long as they take at most this many bytes.
CACHE_BYTES: Final = 512 << 20
Condition = tuple[str, str]
Values = tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cuboid:
    """`numbers[row]` is the slice of a leaf, below `size`; `cost` what it takes to name one of its slices, in nats."""

    attributes: tuple[int, ...]
    numbers: npt.NDArray[np.intp]
    size: int
    cost: float


class Lattice:
    """The cuboids of a table of leaves, coarse to fine; the first is everyone."""

    def __init__(self, leaves: Leaves, *, depth: int = 3) -> None:
        self.leaves = leaves
        self._sizes = [len(labels) for labels in leaves.labels]
        most = min(depth, len(leaves.attributes))
        places = [k for k, size in enumerate(self._sizes) if size > 1]
        self.choices = [choice for deep in range(most + 1) for choice in combinations(places, deep)]
        self._cached: dict[tuple[int, ...], Cuboid] = {}
        self._keeps = 8 * len(leaves) * len(self.choices) <= CACHE_BYTES
        self.slices = 0
        for choice in self.choices:
            self.slices += self.cuboid(choice).size

    def __iter__(self) -> Iterator[Cuboid]:
        return (self.cuboid(choice) for choice in self.choices)

    def cuboid(self, choice: tuple[int, ...]) -> Cuboid:
        known = self._cached.get(choice)
        if known is not None:
            return known
        numbers, size = self._number(choice)
        alike = math.comb(len(self._sizes), len(choice))
        made = Cuboid(attributes=choice, numbers=numbers, size=size, cost=math.log(alike) + math.log(max(1, size)))
        if self._keeps:
            self._cached[choice] = made
        return made

    def _number(self, choice: tuple[int, ...]) -> tuple[npt.NDArray[np.intp], int]:
        codes = self.leaves.codes
        key: Ints = np.zeros(len(self.leaves), dtype=np.int64)
        size = 1
        for place in choice:
            key = key * self._sizes[place] + codes[:, place]
            size *= self._sizes[place]
        if size > 2 * len(self.leaves) + 4096:
            key, found = pd.factorize(key)
            size = len(found)
        return key.astype(np.intp), size

    def inside(self, cuboid: Cuboid, number: int) -> npt.NDArray[np.bool_]:
        """Return which leaves are in a slice."""
        found: npt.NDArray[np.bool_] = cuboid.numbers == number
        return found

    def values(self, cuboid: Cuboid, number: int) -> Values:
        """Return the conditions of a slice, in the order of the table's attributes."""
        row = int(np.argmax(cuboid.numbers == number))
        leaves = self.leaves
        return tuple(
            (leaves.attributes[place], leaves.labels[place][leaves.codes[row, place]]) for place in cuboid.attributes
        )

    def find(self, values: Values) -> tuple[Cuboid, int] | None:
        """Return the slice with these conditions, None if no leaf fulfils them or it is too deep."""
        told = dict(values)
        choice = tuple(place for place, name in enumerate(self.leaves.attributes) if name in told)
        if len(choice) != len(told) or choice not in self.choices:
            return None
        codes = self.leaves.codes
        mask = np.ones(len(self.leaves), dtype=bool)
        for place in choice:
            labels = self.leaves.labels[place]
            name = told[self.leaves.attributes[place]]
            mask &= codes[:, place] == (labels.index(name) if name in labels else -1)
        if not mask.any():
            return None
        cuboid = self.cuboid(choice)
        return cuboid, int(cuboid.numbers[int(np.argmax(mask))])
