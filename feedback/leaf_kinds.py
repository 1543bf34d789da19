"""Leaf kinds: whether the numbers of a table are counts of harms, or a figure that was measured. Pure.

Tables come from many hands. Harms that are no whole numbers, or that vary far more than counts do, are no counts: what
is told as harms among exposures is then read as a figure (exposures less harms) that fell, what is told as harms and
expected ones as a figure and its forecast.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import numpy as np
from scipy.stats import nbinom, norm, poisson

from feedback.leaves import Floats, Leaves, forecast_table, table

Numbers = Literal["auto", "counts", "amounts"]
# Leaves must expect so many harms on the median, and vary so many times more than by chance, to be no counts.
LARGE: Final = 10.0
TIMES: Final = 4.0
LEAST_LEAVES: Final = 30
MEDIAN_CHI2: Final = 0.4549
# Expected harms that are a larger part of the exposures are told of the figure itself, not of what it lost.
PART: Final = 0.3
# A figure's forecast is off by less than this share on the median.
FORECAST: Final = 0.5
# Errors of forecasts that are tried, that of rounding, and by how many nats a leaf must fit better to be rounded.
ERRORS: Final = (0.0, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3)
ROUNDING: Final = 0.3
CLOSER: Final = 0.05
# More harms than exposures in so small a part of the rows are mistakes.
MISTAKES: Final = 0.02
# Between these parts of leaves without any harm, noise went up in about half and down in the others.
HIDDEN: Final = (0.2, 0.8)


def read(attributes: Mapping[str, Iterable[Any]], numbers: Mapping[str, Floats], *, kind: Numbers = "auto") -> Leaves:
    """Return the leaves of harms with exposures, expected or both, as counts or as what they more likely are.

    Raises: InvalidInputError: as `leaves.table`.
    """
    harms, exposures, expected = numbers["harms"], numbers.get("exposures"), numbers.get("expected")
    if exposures is not None and np.mean(harms > exposures) > MISTAKES:
        # No exposures in the sense of "so many could have been harmed": they only say what to expect.
        if expected is None:
            expected = exposures * harms.sum() / max(float(exposures.sum()), 1e-300)
        exposures = None
    if kind == "counts" or (kind == "auto" and not _is_measured(harms, exposures, expected)):
        return table(attributes, harms=harms, exposures=exposures, expected=expected)
    if exposures is None or _is_told_whole(harms, exposures, expected):
        assert expected is not None
        return forecast_table(attributes, real=harms, predict=expected)
    return forecast_table(attributes, real=exposures - harms + _hidden(harms, exposures), predict=exposures)


def _hidden(harms: Floats, exposures: Floats) -> Floats:
    """Return what leaves without harm probably gained: where noise went up, harms tell nothing of it.

    Were they all taken as exactly as forecast, the noise of the others would look like a cause. Each gets the share
    that some leaf lost, of the smaller half, in a fixed order.
    """
    lost = np.divide(harms, exposures, out=np.zeros_like(harms), where=exposures > 0)
    none = (lost == 0) & (exposures > 0)
    some = np.sort(lost[lost > 0])
    if not HIDDEN[0] <= none.mean() <= HIDDEN[1] or not len(some):
        return np.zeros_like(harms)
    drawn = np.random.default_rng(0).choice(some[: max(1, len(some) * 4 // 5)], len(harms))
    found: Floats = np.where(none, drawn * exposures, 0.0)
    return found


def _is_measured(harms: Floats, exposures: Floats | None, expected: Floats | None) -> bool:
    if np.any(harms != np.round(harms)):
        return True
    usual = exposures if expected is None else expected
    assert usual is not None
    if not np.any(usual > 0):
        return False
    if expected is not None and _is_rounded(harms, expected):
        return True
    # What most leaves make one expect: a cause in some must not make the others look strange.
    usual = usual * float(np.median(harms[usual > 0] / usual[usual > 0]))
    large = usual >= LARGE
    if float(np.median(usual)) < LARGE or int(large.sum()) < LEAST_LEAVES:
        return False
    share = 0.0 if exposures is None else np.minimum(usual / np.maximum(exposures, 1e-300), 0.999)
    far = (harms - usual) ** 2 / np.maximum(usual * (1 - share), 1e-300)
    return float(np.median(far[large])) > TIMES * MEDIAN_CHI2


def _is_rounded(harms: Floats, expected: Floats) -> bool:
    """Whether whole numbers are closer to what is expected than counts come: a forecast's error, then rounded.

    Both are given the error that suits them best; no leaf decides alone, as some may have a cause.
    """
    some = expected > 0
    if int(some.sum()) < LEAST_LEAVES:
        return False
    seen, usual = harms[some], expected[some]
    spread = [np.hypot(error * usual, ROUNDING) for error in ERRORS]
    rounded = [np.log(norm.cdf((seen + 0.5 - usual) / s) - norm.cdf((seen - 0.5 - usual) / s) + 1e-9) for s in spread]
    counted = [poisson.logpmf(seen, usual)]
    counted += [nbinom.logpmf(seen, 1 / error**2, 1 / (1 + error**2 * usual)) for error in ERRORS[1:]]
    gains = [np.mean(np.clip(one - max(counted, key=_middle), -3, 3)) for one in rounded]
    return float(max(gains)) > CLOSER


def _middle(logs: Floats) -> float:
    return float(np.mean(np.maximum(logs, -12.0)))


def _is_told_whole(harms: Floats, exposures: Floats, expected: Floats | None) -> bool:
    """Whether harms are the figure itself, which is told whole or forecast well, and not what it lost."""
    if expected is None:
        return False
    some = (exposures > 0) & (expected > 0)
    if not some.any():
        return False
    off = np.abs(harms[some] - expected[some]) / expected[some]
    return bool(np.median(expected[some] / exposures[some]) > PART or np.median(off) < FORECAST)
