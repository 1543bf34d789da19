"""What others would say of the same simulated releases: formulas as published, written anew for arrays of runs.

Each takes running totals of harms and installs of both arms by look (runs × looks) and returns where it calls the
candidate worse. All pool what came before, so a ramp under a moving baseline misleads them.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Numbers = npt.NDArray[np.float64]
Alarms = npt.NDArray[np.bool_]
TUNED_FOR = 5000  # installs at which GrowthBook's interval is narrowest, its default
KAYENTA_Z = 2.326  # its default: a confidence level of 0.98, two-sided
KAYENTA_TOLERANCE = 0.25


def peeking(k_t: Numbers, n_t: Numbers, k_c: Numbers, n_c: Numbers) -> Alarms:
    """A pooled two-sided z-test of 5 % at every look."""
    return np.asarray(np.abs(_z(k_t, n_t, k_c, n_c)) >= 1.96)


def confidence_sequence(k_t: Numbers, n_t: Numbers, k_c: Numbers, n_c: Numbers) -> Alarms:
    """GrowthBook's sequential interval of 95 %, an asymptotic confidence sequence, lies above zero.

    https://docs.growthbook.io/statistics/sequential; Waudby-Smith et al. (2023), arXiv:2103.06476.
    """
    alpha, n = 0.05, n_t + n_c
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / TUNED_FOR
    rate_t, rate_c = k_t / n_t, k_c / n_c
    spread = (rate_t * (1 - rate_t) / n_t + rate_c * (1 - rate_c) / n_c) * n
    width = np.sqrt(spread * 2 * (n * rho2 + 1) / (n * n * rho2) * np.log(np.sqrt(n * rho2 + 1) / alpha))
    return np.asarray((rate_t - rate_c > width) & (k_t + k_c > 0))


def group_sequential(k_t: Numbers, n_t: Numbers, k_c: Numbers, n_c: Numbers, *, looks: int = 14) -> Alarms:
    """O'Brien and Fleming's one-sided 5 % at so many looks, planned evenly over all that is shown."""
    at = (np.arange(1, looks + 1) * k_t.shape[-1] // looks) - 1
    bound = _obrien_fleming(looks) * np.sqrt(looks / np.arange(1, looks + 1))
    found = np.zeros(k_t.shape, dtype=bool)
    found[..., at] = _z(k_t, n_t, k_c, n_c)[..., at] >= bound
    return found


def kayenta(rates_t: Numbers, rates_c: Numbers) -> Alarms:
    """Kayenta's Mann-Whitney: the 98 % interval of the shift between two series lies above a quarter of the baseline.

    Takes rates by run and hour; one answer for each run. https://github.com/spinnaker/kayenta
    """
    n, m = rates_t.shape[1], rates_c.shape[1]
    lowered = rates_t - KAYENTA_TOLERANCE * rates_c.mean(axis=1, keepdims=True)
    ranks = rankdata(np.concatenate([lowered, rates_c], axis=1), axis=1)
    u = ranks[:, :n].sum(axis=1) - n * (n + 1) / 2
    spread = np.sqrt(n * m / 12 * (n + m + 1 - _ties(ranks) / ((n + m) * (n + m - 1))))
    return np.asarray((u - n * m / 2) / np.maximum(spread, 1e-9) > KAYENTA_Z)


def _z(k_t: Numbers, n_t: Numbers, k_c: Numbers, n_c: Numbers) -> Numbers:
    pooled = (k_c + k_t) / (n_c + n_t)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / n_c + 1 / n_t), 1e-12))
    return np.asarray((k_t / n_t - k_c / n_c) / spread)


def _ties(ranks: Numbers) -> Numbers:
    return np.array([sum(c**3 - c for c in np.unique(row, return_counts=True)[1]) for row in ranks], dtype=float)


@cache
def _obrien_fleming(looks: int) -> float:
    """Return the constant that a random walk crosses in one of twenty runs."""
    walks = np.random.default_rng(0).normal(size=(200_000, looks)).cumsum(axis=1) / math.sqrt(looks)
    return float(np.quantile(walks.max(axis=1), 0.95))
