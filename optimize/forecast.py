"""What confirming inputs will probably say of a variant, foretold from the selecting inputs alone. Pure.

Few answers change, so counting them on few inputs is luck. Instead every input's margin (how far the parent's answer
is ahead) meets every input's change of that margin by the variant: n² pairs instead of n. It treats the change as
independent of the margin, which is good enough to choose what is worth a test; the test itself assumes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from optimize.evaluate import answers
from optimize.proof import ERROR, proves

Array = npt.NDArray[Any]
# A wrong answer that changes becomes right about every other time; so measured on digits, and it matters little.
_MENDED: Final = 0.5
_STEP: Final = 0.25
_MOST_COUNTED: Final = 60
_NEGLIGIBLE: Final = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Shares of all inputs that the variant is expected to break and to mend."""

    broke: float
    mended: float

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Expected:
        """Return what `dataclasses.asdict` gave these facts of."""
        return cls(**{item.name: facts[item.name] for item in fields(cls)})


def expect(before: Array, after: Array, y: npt.NDArray[np.int64] | None) -> Expected:
    """Foretell from scores of the same inputs; without labels the parent's answers count as right."""
    chosen = answers(before)
    right = np.ones(len(before), bool) if y is None else chosen == y
    margins = _margins(before, chosen)
    changes = np.sort(_margins(after, chosen) - margins)
    lost = np.searchsorted(changes, -margins, side="left") / len(changes)
    broke, mended = float(lost[right].sum()), float(lost[~right].sum()) * _MENDED
    return Expected(broke=broke / len(before), mended=mended / len(before))


def chance(expected: Expected, n: int, margin: float) -> float:
    """Return how probably n further inputs prove that it loses less than the margin: Poisson counts of both kinds."""
    counts = (round(share * n / _STEP) * _STEP for share in (expected.broke, expected.mended))
    return _chance(*counts, n, margin)


@lru_cache(maxsize=4096)
def _chance(broke: float, mended: float, n: int, margin: float) -> float:
    if broke > _MOST_COUNTED / 2:
        return 0.0
    total = 0.0
    for lost, of_lost in enumerate(_poisson(broke)):
        for won, of_won in enumerate(_poisson(mended)):
            if of_lost * of_won > _NEGLIGIBLE and proves(lost, won, n, margin, ERROR):
                total += of_lost * of_won
    return min(1.0, total)


def _poisson(mean: float) -> list[float]:
    shares = [math.exp(-mean)]
    for count in range(1, _MOST_COUNTED):
        shares.append(shares[-1] * mean / count)
    return shares


def _margins(scores: Array, chosen: npt.NDArray[np.int64]) -> Array:
    """Return how far the chosen class is ahead of the next; what is no number is far behind."""
    flat = scores.reshape(len(scores), -1).astype(np.float64)
    if flat.shape[1] == 1:
        is_share = bool(((flat >= 0) & (flat <= 1)).all())
        flat = np.hstack([-flat, flat]) + ([0.5, -0.5] if is_share else [0.0, 0.0])
    rows = np.arange(len(flat))
    own = flat[rows, chosen].copy()
    others = flat.copy()
    others[rows, chosen] = -np.inf
    ahead: Array = np.nan_to_num(own - others.max(axis=1), nan=-1e30, posinf=1e30, neginf=-1e30)
    return ahead
