"""Leaves: a table of every full combination of attributes, with what was seen and what was to be expected there.

Two kinds of numbers are understood. Counts: `observed` harms among `exposures`, against `expected` ones (from the
baseline arm, or the weeks before); without `expected` a part is compared with the rest of the table. Amounts: a figure
that adds up (`real`) against its forecast (`predict`), whose error is not known and is learned from the table. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import InvalidInputError, Problem

Kind = Literal["counts", "amounts"]
Direction = Literal["rise", "fall", "both"]
Floats = npt.NDArray[np.float64]
Numbers = Sequence[float] | npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
# Of more attributes than these the ones that tell least alone are left out of combinations.
MOST_ATTRIBUTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaves:
    """One row for each leaf cohort: `codes[row, k]` is the place of its value of attribute k in `labels[k]`.

    `expected` is None when only the rest of the table tells what is usual, `exposures` when harms are no share.
    """

    attributes: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    codes: Ints
    observed: Floats
    expected: Floats | None
    exposures: Floats | None
    kind: Kind

    def __len__(self) -> int:
        return len(self.observed)


def table(
    attributes: Mapping[str, Iterable[Any]],
    *,
    harms: Numbers,
    exposures: Numbers | None = None,
    expected: Numbers | None = None,
) -> Leaves:
    """Return the leaves of harms that were counted. Raises: InvalidInputError: neither exposures nor expected, …"""
    if exposures is None and expected is None:
        raise InvalidInputError(Problem("exposures", "give exposures, expected or both"))
    return _leaves(attributes, harms, expected, exposures, "counts")


def forecast_table(attributes: Mapping[str, Iterable[Any]], *, real: Numbers, predict: Numbers) -> Leaves:
    """Return the leaves of a figure that adds up, against its forecast. Raises: InvalidInputError: …"""
    return _leaves(attributes, real, predict, None, "amounts")


def combinations(attributes: Mapping[str, Iterable[Any]]) -> Leaves:
    """Return leaves of which only the attributes are known, for evidence that brings numbers of its own."""
    nothing = np.zeros(max((len(list(values)) for values in attributes.values()), default=0))
    return _leaves(attributes, nothing, nothing, None, "counts")


def _leaves(
    attributes: Mapping[str, Iterable[Any]],
    observed: Numbers,
    expected: Numbers | None,
    exposures: Numbers | None,
    kind: Kind,
) -> Leaves:
    codes, labels = [], []
    for values in attributes.values():
        code, found = pd.factorize(pd.Series(values, dtype="str"), use_na_sentinel=False)
        codes.append(np.asarray(code, dtype=np.int64))
        labels.append(tuple("" if pd.isna(label) else str(label) for label in found))
    seen = _column(observed)
    columns = {"expected": expected, "exposures": exposures}
    numbers = {name: None if column is None else _column(column) for name, column in columns.items()}
    problems = _problems(attributes, codes, seen, numbers, kind)
    if problems:
        raise InvalidInputError(*problems)
    return Leaves(
        attributes=tuple(attributes), labels=tuple(labels), codes=np.column_stack(codes), observed=seen, kind=kind,
        **numbers,
    )  # fmt: skip


def _column(values: Numbers) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _problems(
    attributes: Mapping[str, Iterable[Any]], codes: list[Ints], seen: Floats, numbers: Mapping[str, Floats | None],
    kind: Kind,
) -> list[Problem]:  # fmt: skip
    if not attributes:
        return [Problem("attributes", "there is none; each column that is no number column is one")]
    found = []
    if not len(seen):
        found.append(Problem("", "there is no row"))
    told = {name: column for name, column in numbers.items() if column is not None}
    for name, length in [*zip(attributes, map(len, codes), strict=True), *((n, len(c)) for n, c in told.items())]:
        if length != len(seen):
            found.append(Problem(name, f"has {length} rows, the observed have {len(seen)}"))
    for name, column in [("observed", seen), *told.items()]:
        if not np.all(np.isfinite(column)):
            found.append(Problem(name, "must be numbers"))
        elif kind == "counts" and name != "observed" and np.any(column < 0):
            found.append(Problem(name, "must not be below 0"))
    exposed = told.get("exposures")
    if not found and exposed is not None and np.any(seen > exposed + 1e-9):
        found.append(Problem("exposures", "must not be fewer than the harms among them"))
    return found
