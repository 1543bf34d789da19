"""Leaf columns: which columns of other people's tables are numbers, and what is told in them. Pure.

First by name, in many spellings; what is left open by the numbers: of a table that names no pair of a figure and what
to expect of it, the two columns of numbers that go together best are one, the figure first.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import Final

import numpy as np
from scipy.stats import rankdata

from feedback.leaves import Floats

NUMBERS: Final = ("harms", "exposures", "expected", "real", "predict")
ALSO_CALLED: Final = {
    **dict.fromkeys(("harm", "observed", "failures", "failed", "fails", "errors", "bad", "crashes", "events"), "harms"),
    **dict.fromkeys(("incidents", "defects", "complaints"), "harms"),
    **dict.fromkeys(("exposure", "exposed", "trials", "attempts", "total", "count", "population", "n"), "exposures"),
    **dict.fromkeys(("requests", "samples"), "exposures"),
    **dict.fromkeys(("expectation", "expect", "expectedharms", "harmsexpected", "expectedvalue"), "expected"),
    **dict.fromkeys(("expectedcount", "expectedfailures", "expectederrors", "expectedevents"), "expected"),
    **dict.fromkeys(("baseline", "baselinevalue", "usual", "normal", "reference"), "expected"),
    **dict.fromkeys(("actual", "actuals", "realvalue", "actualvalue", "observedvalue", "value", "y", "ytrue"), "real"),
    **dict.fromkeys(("current", "currentvalue", "measured"), "real"),
    **dict.fromkeys(("predicted", "prediction", "predictions", "predictvalue", "predictedvalue"), "predict"),
    **dict.fromkeys(("forecast", "forecasts", "forecasted", "forecastvalue", "yhat", "ypred"), "predict"),
}
# A table of fewer rows is no ground to tell a column of numbers from one of codes.
ROWS_TO_TELL: Final = 30
# A figure and its forecast rank leaves at least so much alike.
ALIKE: Final = 0.6


def named(told: Sequence[str], words: Container[int] = ()) -> list[str]:
    """Return the names of columns: those of numbers in one spelling, the others as they are.

    `words` are the places of columns that hold no number. A name that is taken twice, or whose column holds words,
    stands for itself again, if it was only another word for it.
    """
    plain = [column.strip().lstrip("\ufeff").strip() for column in told]
    names = [name(column) for column in plain]
    exact = {found for found, column in zip(names, plain, strict=True) if column.lower() == found and found in NUMBERS}
    taken: set[str] = set()
    header = []
    for place, (found, column) in enumerate(zip(names, plain, strict=True)):
        is_alias = found in NUMBERS and column.lower() != found
        is_other = is_alias and (place in words or found in exact or found in taken)
        header.append(column if is_other else found)
        taken.add(header[-1])
    return header


def name(column: str) -> str:
    plain = column.strip().lstrip("\ufeff").strip()
    lowered = re.sub(r"[\s_.-]+", "", plain.lower())
    lowered = ALSO_CALLED.get(lowered, lowered)
    return lowered if lowered in NUMBERS else plain


def roles(header: Sequence[str]) -> dict[str, str]:
    """Return what columns of numbers are told as when their names mix two ways: actual and expected are a pair."""
    told = set(header) & set(NUMBERS)
    seen, usual = told & {"harms", "real"}, told & {"expected", "predict"}
    if len(seen) != 1 or len(usual) > 1 or not (usual or "exposures" in told):
        return {}
    is_figure = "exposures" not in told and told & {"real", "predict"} and bool(usual)
    pair = ("real", "predict") if is_figure else ("harms", "expected")
    return dict.fromkeys(seen, pair[0]) | dict.fromkeys(usual, pair[1])


def guessed(header: Sequence[str], columns: Mapping[int, Floats], rows: int) -> dict[int, str]:
    """Return the places of a figure and its forecast by their numbers, where names tell only one of them, or none.

    `columns`: those that hold nothing but numbers, by place.
    """
    told = {word: place for place, word in enumerate(header) if word in NUMBERS}
    seen = [told[word] for word in ("harms", "real") if word in told]
    usual = [told[word] for word in ("expected", "predict") if word in told]
    if rows < ROWS_TO_TELL or (seen and usual) or "exposures" in told or len(seen + usual) > 1:
        return {}
    free = [place for place, column in columns.items() if header[place] not in NUMBERS and len(np.unique(column)) > 2]
    known = [place for place in seen + usual if place in columns]
    pairs = [(a, b) for a in known or free for b in free if a != b and (known or a < b)]
    ranks = {place: rankdata(columns[place]) for place in {place for pair in pairs for place in pair}}
    alike = {pair: _correlation(ranks[pair[0]], ranks[pair[1]]) for pair in pairs}
    best = max(alike, key=lambda pair: alike[pair], default=None)
    if best is None or alike[best] < ALIKE:
        return {}
    first, second = best[::-1] if usual else best
    return {first: "real", second: "predict"}


def _correlation(one: Floats, other: Floats) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
