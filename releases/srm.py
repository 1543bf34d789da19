"""Sample-ratio mismatch: whether both arms get as many installs as their shares say. If not, something drops phones of
one arm (a crash before the first report, a lost assignment) and no comparison can be trusted.

Each period with constant shares has its own Dirichlet-multinomial mixture (Lindon & Malek 2022,
arXiv:2011.03567): marginal likelihood of the counts over their likelihood at the expected shares. The product of the
periods is an e-process, so it may be looked at every minute; each install is counted once, when it is first seen. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from releases.buckets import arm_sizes
from releases.wording import count, percent

ALPHA: Final = 0.001
CONCENTRATIONS: Final = (30.0, 300.0, 3000.0)
"""Pseudo-installs of the priors around the expected shares: from a gross mismatch among few to a slight one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Installs first seen in each arm while the shares did not change; `candidate_share` of both arms was expected."""

    baseline: int
    candidate: int
    candidate_share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """What the counts say. `p_value` is always valid: 1 over the largest evidence, at most 1."""

    baseline: int
    candidate: int
    expected: float
    p_value: float

    @property
    def is_mismatch(self) -> bool:
        return self.p_value < ALPHA

    @property
    def sentence(self) -> str:
        seen = self.candidate / (self.candidate + self.baseline) if self.candidate + self.baseline else self.expected
        fits = (
            "the arms do not have the sizes they should" if self.is_mismatch else "the arms have the sizes they should"
        )
        return (f"{count(self.candidate)} installs on the candidate and {count(self.baseline)} on the baseline: "
                f"{percent(seen)} where {percent(self.expected)} was expected; {fits}.")  # fmt: skip


def judge(splits: Iterable[Split]) -> SampleRatio:
    """Return whether the arms are as large as they should be, from every period since the release began."""
    periods = tuple(splits)
    n_t, n_c = sum(each.candidate for each in periods), sum(each.baseline for each in periods)
    expected = sum((each.candidate + each.baseline) * each.candidate_share for each in periods)
    log_e = math.fsum(log_e_of(each) for each in periods)
    return SampleRatio(baseline=n_c, candidate=n_t, expected=expected / (n_t + n_c) if n_t + n_c else 0.5,
                       p_value=min(1.0, math.exp(-min(log_e, 700.0))))  # fmt: skip


def log_e_of(split: Split) -> float:
    """Return the log of the mean Dirichlet-multinomial over the multinomial likelihood of one period's counts."""
    shares = (split.candidate_share, 1 - split.candidate_share)
    if not all(0 < share < 1 for share in shares):
        return 0.0
    counts = (split.candidate, split.baseline)
    expected = sum(n * math.log(share) for share, n in zip(shares, counts, strict=True))
    found = [_log_marginal(counts, shares, concentration) - expected for concentration in CONCENTRATIONS]
    top = max(found)
    return top + math.log(sum(math.exp(each - top) for each in found) / len(found))


def _log_marginal(counts: tuple[int, int], shares: tuple[float, float], concentration: float) -> float:
    priors = tuple(concentration * share for share in shares)
    parts = sum(math.lgamma(prior + n) - math.lgamma(prior) for prior, n in zip(priors, counts, strict=True))
    return math.lgamma(concentration) - math.lgamma(concentration + sum(counts)) + parts


def expected_share(percent_of_installs: float) -> float:
    """Return the candidate's share of both arms at a stage: a half, until the arms meet above 50 %."""
    candidate, baseline = arm_sizes(percent_of_installs)
    return candidate / (candidate + baseline)
