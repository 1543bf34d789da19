"""How a variant's answers differ from its parent's on the same inputs: accuracy with interval, flips, noise. Pure.

Interval of the difference: Bonett and Price 2012, doi:10.3102/1076998611411915. Exact McNemar test: McNemar 1947,
doi:10.1007/BF02295996. No flips in n: at most 3/n, the rule of three (Hanley and Lippman-Hand 1983,
doi:10.1001/jama.1983.03330370053031).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Z95: Final = 1.959964
_FEWEST_OF_CLASS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All shares within 0..1. `broke`: right before, wrong after (McNemar's b); `mended` the other way (c).

    Without labels everything about accuracy is None. `worst_class` is the class whose share of right answers fell
    most, `worst_difference` by how much. `flips`: inputs with another answer than before, `flips_high` its upper 95 %
    bound as a share. `sqnr_db`: signal to quantization noise of the scores.
    """

    n: int
    accuracy_before: float | None
    accuracy_after: float | None
    difference: float | None
    low: float | None
    high: float | None
    broke: int | None
    mended: int | None
    p: float | None
    worst_class: int | None
    worst_difference: float | None
    worst_accuracy: float | None
    flips: int
    flips_high: float
    sqnr_db: float | None
    max_difference: float

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Comparison:
        """Return the comparison of which `dataclasses.asdict` gave these facts."""
        return cls(**{item.name: facts[item.name] for item in fields(cls)})


def compare(before: Array, after: Array, y: npt.NDArray[np.int64] | None) -> Comparison:
    """Compare scores (rows: inputs, columns: classes; or one score for yes and no) of the same inputs.

    Raises: ValueError: the shapes differ or there is nothing to compare.
    """
    if before.shape != after.shape or not before.size:
        raise ValueError(f"gives scores of shape {after.shape} where its parent gives {before.shape}")
    was, now = answers(before), answers(after)
    flips = int((was != now).sum())
    noise = float(((after - before) ** 2).sum())
    signal = float((before**2).sum())
    labeled = _labeled(was, now, y) if y is not None else dict.fromkeys(_LABELED)
    return Comparison(
        n=len(before),
        flips=flips,
        flips_high=at_most(flips, len(before)),
        sqnr_db=None if noise == 0 or signal == 0 else round(10 * math.log10(signal / noise), 2),
        max_difference=float(np.abs(after - before).max()),
        **labeled,
    )


_LABELED: Final = (
    "accuracy_before", "accuracy_after", "difference", "low", "high", "broke", "mended", "p",
    "worst_class", "worst_difference", "worst_accuracy",
)  # fmt: skip


def answers(scores: Array) -> npt.NDArray[np.int64]:
    """Return the class of each row; one score per row is yes above 0.5 when all are shares, else above 0.

    Scores that are no numbers are class −1: never right.
    """
    flat = scores.reshape(len(scores), -1).astype(np.float64)
    if flat.shape[1] > 1:
        found: npt.NDArray[np.int64] = flat.argmax(axis=1).astype(np.int64)
    else:
        is_share = bool(((flat >= 0) & (flat <= 1)).all())
        found = (flat[:, 0] > (0.5 if is_share else 0.0)).astype(np.int64)
    found[~np.isfinite(flat).all(axis=1)] = -1
    return found


def difference_interval(broke: int, mended: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Return the interval of (share right after − share right before) for paired answers.

    Raises: ValueError: n is 0 or fewer than the answers that changed.
    """
    if n <= 0 or broke + mended > n or min(broke, mended) < 0:
        raise ValueError("the changed answers must lie within n")
    lost, won = (broke + 1) / (n + 2), (mended + 1) / (n + 2)
    half = z * math.sqrt((lost + won - (won - lost) ** 2) / (n + 2))
    return max(-1.0, won - lost - half), min(1.0, won - lost + half)


def mcnemar(broke: int, mended: int) -> float:
    """Return the exact two-sided p that answers broke and were mended equally often."""
    n, fewer = broke + mended, min(broke, mended)
    if n > 1000:
        statistic = max(abs(broke - mended) - 1, 0) / math.sqrt(n)
        return math.erfc(statistic / math.sqrt(2))
    tail = sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n
    return float(min(1.0, 2 * tail))


def at_most(hits: int, n: int) -> float:
    """Return the upper bound of a share: 3/n when nothing was hit (one-sided 95 %), else Wilson's (two-sided 95 %)."""
    if hits == 0:
        return min(1.0, 3 / n)
    share, z2 = hits / n, Z95**2
    middle = share + z2 / (2 * n)
    return min(1.0, (middle + Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n))


def _labeled(was: Array, now: Array, y: Array) -> dict[str, Any]:
    right_before, right_after = was == y, now == y
    broke, mended = int((right_before & ~right_after).sum()), int((~right_before & right_after).sum())
    low, high = difference_interval(broke, mended, len(y))
    worst, fell, left = _worst_class(right_before, right_after, y)
    return {
        "accuracy_before": float(right_before.mean()),
        "accuracy_after": float(right_after.mean()),
        "difference": float(right_after.mean() - right_before.mean()),
        "low": low,
        "high": high,
        "broke": broke,
        "mended": mended,
        "p": mcnemar(broke, mended),
        "worst_class": worst,
        "worst_difference": fell,
        "worst_accuracy": left,
    }


def _worst_class(before: Array, after: Array, y: Array) -> tuple[int | None, float | None, float | None]:
    """Return the class that lost most (of equals the least right), its difference and what is right now."""
    rows = []
    for label in np.unique(y):
        mine = y == label
        if mine.sum() >= _FEWEST_OF_CLASS:
            share = float(after[mine].mean())
            rows.append((share - float(before[mine].mean()), share, int(label)))
    if not rows:
        return None, None, None
    fell, left, label = min(rows)
    return label, fell, left
