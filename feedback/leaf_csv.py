"""Leaf tables as CSV: which columns are numbers, which are attributes, and every mistake with its line.

Numbers are either `harms` with `exposures`, `expected` or both, or `real` with `predict`; every other column is an
attribute. Names of columns are in any case, and many mean the same; commas, semicolons and tabs separate. A value that
is left empty is a value of its own. A column that is another in every row names rows, not what they have in common, and
is left out. Pure.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any, Final

import numpy as np

from core.errors import InvalidInputError, Problem
from feedback import leaf_columns, leaf_kinds
from feedback.leaf_columns import NUMBERS, ROWS_TO_TELL
from feedback.leaves import Floats, Leaves, forecast_table

SEPARATORS: Final = ",;\t|"
MOST_PROBLEMS: Final = 100
Rows = list[tuple[int, list[str]]]


def read(lines: Iterable[str], *, ignore: Collection[str] = (), kind: leaf_kinds.Numbers = "auto") -> Leaves:
    """Return the leaves of a CSV file with a header; columns in `ignore` are left out.

    `kind` says what harms are; by default their numbers tell.

    Raises: InvalidInputError: with every mistake (at most a hundred) and its line.
    """
    reader, header = _opened(lines)
    ignored = {leaf_columns.name(column) for column in ignore}
    rows, problems = _rows(reader, len(header))
    header = _understood(leaf_columns.named(header, _words(header, rows)), rows, ignored)
    told = _header_problems([name for name in header if name not in ignored])
    if told:
        raise InvalidInputError(*told)
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
    return reader, told


def _words(header: list[str], rows: Rows) -> set[int]:
    """Return the places of columns in which there is no number at all, as far as the first rows tell."""
    some = rows[:ROWS_TO_TELL]
    return {place for place in range(len(header)) if some and all(np.isnan(_number(row[place])) for _, row in some)}


def _understood(header: list[str], rows: Rows, ignored: Collection[str]) -> list[str]:
    """Return the header with the names of numbers that go together, by what the columns are called and hold."""
    words = ["" if name in ignored else name for name in header]
    if not _is_told(words):
        columns = {place: column for place in range(len(words)) if words[place] and (column := _plain(place, rows))}
        arrays = {place: np.asarray(column) for place, column in columns.items()}
        for place, role in leaf_columns.guessed(words, arrays, len(rows)).items():
            header = [*header[:place], role, *header[place + 1 :]]
            words = [*words[:place], role, *words[place + 1 :]]
    roles = leaf_columns.roles(words)
    return [name if name in ignored else roles.get(name, name) for name in header]


def _is_told(words: Collection[str]) -> bool:
    seen, usual = {"harms", "real"} & set(words), {"exposures", "expected", "predict"} & set(words)
    return bool(seen and usual)


def _plain(place: int, rows: Rows) -> list[float]:
    """Return a column that holds nothing but numbers, else nothing."""
    try:
        column = [float(row[place]) for _, row in rows]
    except ValueError:
        return []
    return column if np.all(np.isfinite(column)) else []


def _that_tell(attributes: dict[str, list[str]], rows: int) -> dict[str, list[str]]:
    if rows < ROWS_TO_TELL or len(attributes) < 2:
        return attributes
    telling = {name: values for name, values in attributes.items() if len(set(values)) < rows}
    return telling or attributes


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
