"""Leaf tables as CSV: which columns are numbers, which are attributes, and every mistake with its line.

Numbers are either `harms` with `exposures`, `expected` or both, or `real` with `predict`; every other column is an
attribute. Names of columns are in any case, and many mean the same; commas, semicolons and tabs separate. A value that
is left empty is a value of its own. A column that is another in every row names rows, not what they have in common, and
is left out. Pure.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any, Final

import numpy as np

from core.errors import InvalidInputError, Problem
from feedback import leaf_kinds
from feedback.leaves import Floats, Leaves, forecast_table

NUMBERS: Final = ("harms", "exposures", "expected", "real", "predict")
ALSO_CALLED: Final = {
    **dict.fromkeys(("harm", "observed", "failures", "failed", "fails", "errors", "bad", "crashes", "events"), "harms"),
    **dict.fromkeys(("exposure", "exposed", "trials", "attempts", "total", "count", "population", "n"), "exposures"),
    **dict.fromkeys(("expectation", "expect", "expectedharms", "harmsexpected"), "expected"),
    **dict.fromkeys(("actual", "realvalue", "actualvalue", "value", "y"), "real"),
    **dict.fromkeys(("predicted", "prediction", "forecast", "forecasted", "predictvalue", "yhat"), "predict"),
}
# A table of fewer rows may well have an attribute whose values are all different.
ROWS_TO_TELL: Final = 30
SEPARATORS: Final = ",;\t|"
MOST_PROBLEMS: Final = 100
Rows = list[tuple[int, list[str]]]


def read(lines: Iterable[str], *, ignore: Collection[str] = (), kind: leaf_kinds.Numbers = "auto") -> Leaves:
    """Return the leaves of a CSV file with a header; columns in `ignore` are left out.

    `kind` says what harms are; by default their numbers tell.

    Raises: InvalidInputError: with every mistake (at most a hundred) and its line.
    """
    reader, header = _opened(lines)
    ignored = {_name(column) for column in ignore}
    problems = _header_problems([name for name in header if name not in ignored])
    if problems:
        raise InvalidInputError(*problems)
    rows, problems = _rows(reader, len(header))
    places = {name: place for place, name in enumerate(header) if name not in ignored}
    numbers: dict[str, Floats] = {}
    for name in NUMBERS:
        if name in places:
            numbers[name], found = _numbers(name, places[name], rows)
            problems += found
    if not rows and not problems:
        problems = [Problem("", "there is no row under the header", 2)]
    problems = problems or _too_many(numbers, rows)
    if problems:
        raise InvalidInputError(*_clipped(sorted(problems, key=lambda problem: problem.line or 0)))
    attributes = {name: [row[place] for _, row in rows] for name, place in places.items() if name not in NUMBERS}
    attributes = _that_tell(attributes, len(rows))
    if "harms" not in numbers:
        return forecast_table(attributes, real=numbers["real"], predict=numbers["predict"])
    return leaf_kinds.read(attributes, numbers, kind=kind)


def _opened(lines: Iterable[str]) -> tuple[Any, list[str]]:
    """Return a reader behind the header, and the header's names: a name that is taken twice stands for itself again."""
    each = (line.replace("\0", "") for line in lines)
    first = next(each, "")
    separator = max(SEPARATORS, key=lambda sign: (first.count(sign), -SEPARATORS.index(sign)))
    reader = csv.reader(chain([first], each), delimiter=separator)
    try:
        told = next(reader, [])
    except csv.Error as error:
        raise InvalidInputError(Problem("", f"is no table: {error}", 1)) from error
    names = [_name(column) for column in told]
    plain = [column.strip().lstrip("\ufeff").strip() for column in told]
    exact = {name for name, word in zip(names, plain, strict=True) if word.lower() == name and name in NUMBERS}
    taken: set[str] = set()
    header = []
    for name, word in zip(names, plain, strict=True):
        is_other = name in NUMBERS and word.lower() != name and (name in exact or name in taken)
        header.append(word if is_other else name)
        taken.add(name)
    return reader, header


def _that_tell(attributes: dict[str, list[str]], rows: int) -> dict[str, list[str]]:
    if rows < ROWS_TO_TELL or len(attributes) < 2:
        return attributes
    telling = {name: values for name, values in attributes.items() if len(set(values)) < rows}
    return telling or attributes


def _name(column: str) -> str:
    plain = column.strip().lstrip("\ufeff").strip()
    lowered = re.sub(r"[\s_.-]+", "", plain.lower())
    lowered = ALSO_CALLED.get(lowered, lowered)
    return lowered if lowered in NUMBERS else plain


def _header_problems(header: list[str]) -> list[Problem]:
    if not header:
        return [Problem("", "the file is empty; its first line names the columns", 1)]
    found = [Problem(name, "is there twice", 1) for name in sorted({name for name in header if header.count(name) > 1})]
    found += [Problem(f"column {place}", "has no name", 1) for place, name in enumerate(header, 1) if not name]
    told = {name for name in header if name in NUMBERS}
    counts, amounts = told & {"harms", "exposures", "expected"}, told & {"real", "predict"}
    if counts and amounts and ("harms" not in counts or len(counts) < 2):
        found.append(Problem("", f"give harms or real, not both: {', '.join(sorted(told))}", 1))
    elif amounts and not counts:
        found += [Problem(name, "is missing; real needs predict", 1) for name in sorted({"real", "predict"} - amounts)]
    elif "harms" not in counts:
        found.append(Problem("harms", "is missing; give harms and exposures or expected, or real and predict", 1))
    elif len(counts) == 1:
        found.append(Problem("exposures", "is missing; harms need exposures, expected or both", 1))
    if not set(header) - set(NUMBERS):
        found.append(Problem("", "there is no attribute: every column that is no number column is one", 1))
    return found


def _rows(reader: Iterable[list[str]], width: int) -> tuple[Rows, list[Problem]]:
    rows: Rows = []
    problems: list[Problem] = []
    line = getattr(reader, "line_num", 1)
    for row in _each(reader, problems):
        line += 1
        first, line = line, getattr(reader, "line_num", line)
        if not row:
            continue
        if len(row) != width:
            problems.append(Problem("", f"has {len(row)} values, the header names {width}", first))
        else:
            rows.append((first, row))
    return rows, problems


def _each(reader: Iterable[list[str]], problems: list[Problem]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        problems.append(Problem("", f"cannot be read: {error}", getattr(reader, "line_num", None)))


def _numbers(name: str, place: int, rows: Rows) -> tuple[Floats, list[Problem]]:
    words = [row[place] for _, row in rows]
    try:
        column = np.asarray(words, dtype=np.float64)
    except ValueError:
        column = np.asarray([_number(word) for word in words])
    bad = ~np.isfinite(column)
    if name not in ("real", "predict"):
        bad |= column < 0
    problems = []
    for index in np.flatnonzero(bad):
        word = words[index].strip()
        what = f"must not be below 0, is {word}" if column[index] < 0 else f"must be a number, is {word[:40]!r}"
        problems.append(Problem(name, what, rows[index][0]))
    return column, problems


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _too_many(numbers: dict[str, Floats], rows: Rows) -> list[Problem]:
    """Return where there are more harms than exposures, if there are few such rows: else they are no exposures."""
    if "exposures" not in numbers or "harms" not in numbers:
        return []
    harms, exposures = numbers["harms"], numbers["exposures"]
    places = np.flatnonzero(harms > exposures)
    if len(places) > leaf_kinds.MISTAKES * len(rows):
        return []
    return [
        Problem("harms", f"are {harms[index]:g}, more than the {exposures[index]:g} exposures", rows[index][0])
        for index in places
    ]


def _clipped(problems: list[Problem]) -> list[Problem]:
    if len(problems) <= MOST_PROBLEMS:
        return problems
    return [*problems[:MOST_PROBLEMS], Problem("", f"and {len(problems) - MOST_PROBLEMS} more mistakes")]
