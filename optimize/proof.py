"""How surely a variant loses less than a margin: an exact test of paired answers. Pure.

Intervals by formula are too sure when hardly any answer changed, which is when it matters here. So the probability is
summed over all counts: that inputs of a model which truly loses the margin look as good as these, or better, for the
worst share of mended answers that is still credible (Berger and Boos 1994, doi:10.1080/01621459.1994.10476836).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from optimize.evaluate import Z95, difference_interval

Floats = npt.NDArray[Any]
# The one-sided error of a 95 % interval's lower end.
ERROR: Final = 0.025
_SHARE_OF_ERROR: Final = 1e-4
_MOST_BROKE: Final = 100
_MOST_MENDED: Final = 60
_MENDED: Final = (0.0, *(float(share) for share in np.geomspace(1e-4, 0.05, 28)))


def proves(broke: int, mended: int, n: int, margin: float, error: float) -> bool:
    """Whether n answers, of which these broke and mended, prove a loss below the margin, wrongly with `error` at most.

    The 95 % interval that a report card shows must say so too."""
    if broke + mended > n or difference_interval(broke, mended, n)[0] < -margin:
        return False
    return error_of(broke, mended, n, margin) <= error


@lru_cache(maxsize=8192)
def error_of(broke: int, mended: int, n: int, margin: float) -> float:
    """Return the one-sided p of "this loses the margin or more"; 1 when more changed than is looked at."""
    if broke >= min(_MOST_BROKE, n) or mended >= _MOST_MENDED or not 0 < margin < 1:
        return 1.0
    ranks = _ranks(n)
    at_least_as_good = ranks >= ranks[broke, mended] - 1e-12
    most = _most_mended(mended, n)
    sums = [
        float(table[at_least_as_good].sum()) for share, table in _tables(n, margin) if share <= most or share == 0.0
    ]
    return min(1.0, max(sums) + _SHARE_OF_ERROR)


@lru_cache(maxsize=16)
def _ranks(n: int) -> Floats:
    """Return how good each pair of counts is: the lower end of Bonett and Price's interval puts them in order."""
    lost = (np.arange(_MOST_BROKE)[:, None] + 1) / (n + 2)
    won = (np.arange(_MOST_MENDED)[None, :] + 1) / (n + 2)
    ranks: Floats = won - lost - Z95 * np.sqrt((lost + won - (won - lost) ** 2) / (n + 2))
    return ranks


@lru_cache(maxsize=16)
def _tables(n: int, margin: float) -> tuple[tuple[float, Floats], ...]:
    """Return for each share of mended answers the probability of each pair of counts at a loss of just the margin."""
    broke, mended = np.arange(_MOST_BROKE)[:, None], np.arange(_MOST_MENDED)[None, :]
    logs = np.array([math.lgamma(k + 1) for k in range(n + 1)])
    rest = n - broke - mended
    possible = rest >= 0
    ways = logs[n] - logs[np.minimum(broke, n)] - logs[np.minimum(mended, n)] - logs[np.maximum(rest, 0)]
    tables = []
    for share in _MENDED:
        if 2 * share + margin >= 1:
            continue
        won = mended * math.log(share) if share else np.where(mended == 0, 0.0, -np.inf)
        odds = ways + broke * math.log(margin + share) + won + rest * math.log1p(-2 * share - margin)
        tables.append((share, np.where(possible, np.exp(np.where(possible, odds, 0.0)), 0.0)))
    return tuple(tables)


def _most_mended(mended: int, n: int) -> float:
    """Return the largest share of mended answers that is credible after seeing this many (Poisson)."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        mean = middle * n
        below = sum(math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(mended + 1))
        low, high = (middle, high) if below > _SHARE_OF_ERROR else (low, middle)
    return high
