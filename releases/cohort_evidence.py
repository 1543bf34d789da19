"""Evidence of many cohorts at once: the e-processes of releases.eprocess over arrays of cohort × hour. Pure."""

from __future__ import annotations

import math

import numpy as np

from releases.eprocess import HARM_RATIOS, mixture
from releases.guardrails import Guardrail
from releases.leaves import Numbers, Table


def evidence_of(guardrail: Guardrail, table: Table, cohorts: Numbers) -> Numbers:
    """Return the log e-value of harm in each cohort; `cohorts` is cohort × device, 1 for a member.

    The same numbers as guardrails.judge with one stratum.
    """
    sums = np.einsum("cd,axdh->axch", cohorts, table.sums[guardrail.metric], optimize=True)
    (n_c, k_c, q_c), (n_t, k_t, q_t) = sums
    kind = table.kinds[guardrail.metric]
    if kind == "rate":
        if guardrail.better == "higher":
            k_c, k_t = n_c - k_c, n_t - k_t
        return _rates(guardrail, n_c, k_c, n_t, k_t)
    turn = 1.0 if guardrail.better == "lower" else -1.0
    if kind == "log_mean":
        allowed = np.full(len(cohorts), guardrail.allowed_gap(kind, 0.0))
    else:
        mean = np.abs(k_c.sum(axis=1) / np.maximum(n_c.sum(axis=1), 1))
        allowed = guardrail.margin * mean if guardrail.relative else np.full(len(cohorts), guardrail.margin)
    return _means(allowed, (n_c, turn * k_c, q_c), (n_t, turn * k_t, q_t))


def _rates(guardrail: Guardrail, n_c: Numbers, k_c: Numbers, n_t: Numbers, k_t: Numbers) -> Numbers:
    earlier = (np.cumsum(k_c, axis=1) - k_c + 0.5) / (np.cumsum(n_c, axis=1) - n_c + 1)
    allowed = _allowed_ratio(guardrail, earlier)
    both = (n_c > 0) & (n_t > 0)
    weight = allowed * n_t
    theta = np.where(both, weight / np.maximum(weight + n_c, 1e-12), 0.0)
    harms_t, harms_c = np.where(both, k_t, 0.0), np.where(both, k_c, 0.0)
    evidence = []
    for ratio in HARM_RATIOS:
        expected = np.log(ratio * theta + 1 - theta)
        evidence.append((harms_t * (math.log(ratio) - expected) - harms_c * expected).sum(axis=1))
    stacked = np.array(evidence)
    top = stacked.max(axis=0)
    mean: Numbers = top + np.log(np.exp(stacked - top).mean(axis=0))
    return mean


def _allowed_ratio(guardrail: Guardrail, rate: Numbers) -> Numbers:
    if guardrail.better == "lower" and guardrail.relative:
        return np.full_like(rate, 1 + guardrail.margin)
    extra = guardrail.margin * (1 - rate) if guardrail.relative else guardrail.margin
    return np.asarray(1 + extra / rate)


def _means(
    allowed: Numbers, baseline: tuple[Numbers, Numbers, Numbers], candidate: tuple[Numbers, Numbers, Numbers]
) -> Numbers:
    (n_c, s_c, q_c), (n_t, s_t, q_t) = baseline, candidate
    n = n_t + n_c
    pairs = n_t * n_c / np.maximum(n, 1)
    shift = allowed[:, None]
    gap = (pairs * (s_t / np.maximum(n_t, 1) - shift - s_c / np.maximum(n_c, 1))).sum(axis=1)
    total = s_t - n_t * shift + s_c
    squares = q_t - 2 * shift * s_t + n_t * shift * shift + q_c
    counted = np.where(n >= 2, pairs, 0.0)
    variance = np.maximum(0.0, squares - total * total / np.maximum(n, 1)) / np.maximum(n - 1, 1)
    spread = (counted * variance).sum(axis=1) / np.maximum(counted.sum(axis=1), 1e-12)
    heard = np.where(pairs > 0, n, 0.0)
    repeats = heard.sum(axis=1) / np.maximum(heard.max(axis=1), 1)
    enough = np.minimum(n_c.sum(axis=1), n_t.sum(axis=1)) >= 30
    return np.array(
        [
            mixture(g / r / math.sqrt(v), p / r) if v > 0 and p > 0 and is_enough else 0.0
            for g, r, v, p, is_enough in zip(gap, repeats, spread, pairs.sum(axis=1), enough, strict=True)
        ]
    )
