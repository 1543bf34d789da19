"""Power: the smallest harm that the evidence of so many installs would show four times out of five. Pure.

The same e-processes as releases.eprocess, at their expected value less 0.84 standard deviations: what is seen at the
last of all looks. Most regressions are seen earlier, because every look counts (bench/guardrails.py measures it).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from releases.eprocess import HARM_RATIOS, mixture

Z80: Final = 0.8416
STEPS: Final = 60


def smallest_rate(base: float, n: float, *, allowed: float, alpha: float) -> float | None:
    """Return the least rate of harm that shows against a baseline of `base`, `n` in each arm; None if none would.

    `allowed` is the ratio of rates that is tolerated.
    """
    if not 0 < base < 1 or n <= 0:
        return None
    return _least(lambda rate: _shown_rate(base, rate, n, allowed) + math.log(alpha), base, 1.0)


def smallest_gap(spread: float, n: float, *, allowed: float, alpha: float) -> float | None:
    """Return the least difference of means that shows, with a standard deviation of `spread` and `n` in each arm."""
    if spread <= 0 or n <= 0:
        return None
    pairs = n / 2

    def shown(gap: float) -> float:
        return mixture(pairs * (gap - allowed) / spread - Z80 * math.sqrt(pairs), pairs) + math.log(alpha)

    return _least(shown, allowed, allowed + 20 * spread)


def needed(shown_at: Callable[[float], float | None], *, effect: float, most: float) -> float | None:
    """Return the least n at which `shown_at(n)` is at most `effect`, None if not even at `most`."""
    low, high = 1.0, most
    if (found := shown_at(high)) is None or found > effect:
        return None
    for _ in range(STEPS):
        middle = math.sqrt(low * high)
        found = shown_at(middle)
        low, high = (low, middle) if found is not None and found <= effect else (middle, high)
    return high


def _shown_rate(base: float, rate: float, n: float, allowed: float) -> float:
    theta = allowed / (allowed + 1)
    found = -math.inf
    for ratio in HARM_RATIOS:
        expected = math.log(ratio * theta + 1 - theta)
        gain = math.log(ratio) - expected
        mean = n * rate * gain - n * base * expected
        spread = math.sqrt(n * rate * (1 - rate) * gain * gain + n * base * (1 - base) * expected * expected)
        found = max(found, mean - Z80 * spread)
    return found - math.log(len(HARM_RATIOS))


def _least(shown: Callable[[float], float], low: float, high: float) -> float | None:
    if shown(high) < 0:
        return None
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) >= 0 else (middle, high)
    return high
