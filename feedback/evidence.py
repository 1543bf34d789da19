"""Evidence: how much likelier the leaves of a slice are if it is a cause than if nothing is wrong, as sums over leaves.

So a scan of all slices is a few `bincount`s. Counts are weighed in count_evidence.py, amounts in amount_evidence.py.
Pure.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from feedback.lattice import Cuboid
from feedback.leaves import Floats

Mask = npt.NDArray[np.bool_]


class Evidence(Protocol):
    """What a search needs: additive columns of the leaves, and the score of their sums.

    `surprise` is what `p_value` takes, given the sums of slices and their scores: for most the scores themselves.
    `is_fixed`: a leaf's columns are the same whatever else is open.
    """

    is_fixed: bool

    def columns(self, mask: Mask) -> Floats: ...
    def open(self, rest: Mask) -> None: ...
    def score(self, sums: Floats) -> Floats: ...
    def surprise(self, sums: Floats, scores: Floats) -> Floats: ...
    def parts(self, whole: Floats, parts: Floats) -> Floats: ...
    def p_value(self, score: float, slices: int) -> float: ...


def slice_sums(cuboid: Cuboid, columns: Floats, *, rows: npt.NDArray[np.intp] | None = None) -> Floats:
    """Return the sums of each column over each slice: rows are columns, columns are slices.

    `rows`: the leaves that the columns are of, all when not given.
    """
    numbers = cuboid.numbers if rows is None else cuboid.numbers[rows]
    found = np.empty((len(columns), cuboid.size))
    for place, column in enumerate(columns):
        found[place] = np.bincount(numbers, weights=column, minlength=cuboid.size)
    return found
