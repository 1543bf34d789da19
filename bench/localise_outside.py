"""Cases as other people's tools write them: CSV under names of their own, read with no word of what the numbers are.

A case is a grid of attributes with a forecast, an error of the forecast of 1 to 8 %, and one to three causes, often of
the same attributes, that move their leaves by about one share each: down or up, not always the same way.

figures    a figure and its forecast, floats
whole      the same as whole numbers, half of them small
counted    events by chance around what was expected, no exposures: causes rise or fall
told-harms a figure told as harms, expected and sometimes exposures, whole or not
harms      failures among attempts with expected ones; causes rise
lost       what was lost of the forecast among what was forecast; causes lose
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import StringIO
from typing import Any, Final

import numpy as np

from bench.localise_cases import Case, Generator, draw_causes, grid, masks
from feedback import leaf_csv
from feedback.lattice import Values

NAMES: Final = (
    ("real", "predict"), ("actual", "expected"), ("observed", "predicted"), ("value", "forecast"),
    ("actual_value", "predicted_value"), ("Real", "Prediction"), ("current", "baseline"), ("v", "f"),
)  # fmt: skip
HARMS: Final = (
    ("harms", "expected"), ("errors", "expected_errors"), ("failures", "baseline"), ("observed", "expected"),
)  # fmt: skip
GRIDS: Final = (
    {"a": 10, "b": 12, "c": 10, "d": 8}, {"place": 33, "access": 4, "os": 4, "site": 12},
    {"i": 6, "e": 9, "c": 8, "p": 5, "l": 4}, {"region": 8, "model": 20, "version": 5},
)  # fmt: skip
# A cause is put in only if its leaves together are so many errors of the forecast away from it.
LEAST_Z: Final = 8.0


def _shares(rng: Generator, columns: Any, causes: int, strength: Any, sides: Any) -> tuple[Any, tuple[Values, ...]]:
    """Return the share by which each leaf moves, and the causes. `strength`: 1 / a leaf's relative error, squared."""
    share = np.zeros(len(strength))
    if not causes:
        return share, ()
    while True:
        share[:] = 0
        drawn = draw_causes(rng, columns, count=causes, same_cuboid=0.6, told=strength > 0)
        taken: list[float] = []
        for mask in masks(columns, drawn):
            side = float(rng.choice(sides))
            size = float(rng.uniform(0.15, 0.9 if side < 0 else 1.5))
            if any(abs(side * size - other) < 0.1 for other in taken):
                break
            if size * np.sqrt(strength[mask].sum()) < LEAST_Z or size * np.sqrt(np.median(strength[mask])) < 1:
                break
            taken.append(side * size)
            share[mask] = side * size + rng.normal(0, 0.02, int(mask.sum()))
        if len(taken) == len(drawn):
            return np.maximum(share, -1), tuple(drawn)


def _told(columns: Any, causes: tuple[Values, ...], numbers: dict[str, Any]) -> Case:
    """Return the case as read back from CSV."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow([*columns, *numbers])
    writer.writerows(zip(*columns.values(), *([f"{each:.10g}" for each in n] for n in numbers.values()), strict=True))
    return Case(table=leaf_csv.read(text.getvalue().splitlines(keepends=True)), causes=causes)


def _forecast(rng: Generator, *, middle: float) -> tuple[Any, Any, float]:
    columns = grid(GRIDS[rng.integers(len(GRIDS))])
    rows = len(next(iter(columns.values())))
    return columns, rng.lognormal(middle, rng.uniform(0.5, 1.5), rows), float(rng.uniform(0.01, 0.08))


def _figure(
    rng: Generator, causes: int, *, middle: float, whole: bool, sides: Any = (-1, -1, 1)
) -> tuple[Any, tuple[Values, ...], Any, Any]:
    columns, predict, error = _forecast(rng, middle=middle)
    if whole:
        predict = np.round(predict)
    rounding = 0.4 / np.maximum(predict, 1e-9) if whole else 0.0
    strength = np.where(predict > 0, 1 / (error**2 + rounding**2), 0.0)
    share, drawn = _shares(rng, columns, causes, strength, sides)
    real = np.maximum(0, predict * (1 + share) * (1 + rng.normal(0, error, len(predict))))
    return columns, drawn, np.round(real) if whole else real, predict


def figures(rng: Generator, *, causes: int) -> Case:
    columns, drawn, real, predict = _figure(rng, causes, middle=4, whole=False)
    names = NAMES[rng.integers(len(NAMES))]
    return _told(columns, drawn, {names[0]: real, names[1]: predict})


def whole(rng: Generator, *, causes: int) -> Case:
    columns, drawn, real, predict = _figure(rng, causes, middle=float(rng.choice([1.5, 2.5, 5])), whole=True)
    names = NAMES[rng.integers(len(NAMES))]
    return _told(columns, drawn, {names[0]: real, names[1]: predict})


def counted(rng: Generator, *, causes: int) -> Case:
    columns, usual, error = _forecast(rng, middle=float(rng.choice([1, 2.5, 4])))
    share, drawn = _shares(rng, columns, causes, 1 / (1 / usual + error**2), (-1, 1))
    seen = rng.poisson(usual * (1 + share) * np.exp(rng.normal(0, error, len(usual))))
    names = (*HARMS, *NAMES)[rng.integers(len(HARMS) + len(NAMES))]
    return _told(columns, drawn, {names[0]: seen, names[1]: usual})


def told_harms(rng: Generator, *, causes: int) -> Case:
    columns, drawn, real, predict = _figure(rng, causes, middle=float(rng.choice([2, 4])), whole=rng.random() < 0.5)
    names = HARMS[rng.integers(len(HARMS))]
    numbers = {names[0]: real, names[1]: predict}
    if rng.random() < 0.5:
        numbers["exposures"] = np.ceil(np.maximum(real, predict) * (1 if rng.random() < 0.5 else 10))
    return _told(columns, drawn, numbers)


def harms(rng: Generator, *, causes: int) -> Case:
    columns, exposed, error = _forecast(rng, middle=6)
    usual = np.round(exposed) * rng.uniform(0.005, 0.05)
    share, drawn = _shares(rng, columns, causes, 1 / (1 / np.maximum(usual, 1e-9) + error**2), (1,))
    chance = np.minimum(1, usual / np.maximum(np.round(exposed), 1) * (1 + share))
    seen = rng.binomial(np.round(exposed).astype(int), chance)
    names = HARMS[rng.integers(len(HARMS))]
    return _told(columns, drawn, {names[0]: seen, "exposures": np.round(exposed), names[1]: usual})


def lost(rng: Generator, *, causes: int) -> Case:
    columns, drawn, real, predict = _figure(rng, causes, middle=4, whole=rng.random() < 0.5, sides=(-1,))
    return _told(columns, drawn, {"harms": np.maximum(0, predict - real), "exposures": predict})


OUTSIDE: dict[str, Callable[..., Case]] = {
    "figures": figures,
    "whole": whole,
    "counted": counted,
    "told-harms": told_harms,
    "harms": harms,
    "lost": lost,
}
