"""Sample-ratio mismatch: whether both arms, which are equally large, get as many installs. If not, something drops
phones of one arm (a crash before the first report, a lost assignment) and no comparison can be trusted.

Each period with a constant share has its own Dirichlet-multinomial mixture (Lindon & Malek 2022,
arXiv:2011.03567): marginal likelihood of the counts over their likelihood at a half each. The product of the
periods is an e-process, so it may be looked at every minute; each install is counted once, when it is first seen. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from releases.wording import count, percent

ALPHA: Final = 0.001
EXPECTED: Final = 0.5
"""The candidate's share of both arms: shares above 50 %, where the arms meet, are not looked at."""
CONCENTRATIONS: Final = (30.0, 300.0, 3000.0)
"""Pseudo-installs of the priors around the expected share: from a gross mismatch among few to a slight one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Installs first seen in each arm while the share did not change."""

    baseline: int
    candidate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """What the counts say. `p_value` is always valid: 1 over the largest evidence, at most 1."""

    baseline: int
    candidate: int
    p_value: float

    @property
    def is_mismatch(self) -> bool:
        return self.p_value < ALPHA

    @property
    def sentence(self) -> str:
        seen = self.candidate / (self.candidate + self.baseline) if self.candidate + self.baseline else EXPECTED
        fits = (
            "the arms do not have the sizes they should" if self.is_mismatch else "the arms have the sizes they should"
        )
        return (f"{count(self.candidate)} installs on the candidate and {count(self.baseline)} on the baseline: "
                f"{percent(seen)} where {percent(EXPECTED)} was expected; {fits}.")  # fmt: skip


def judge(splits: Iterable[Split]) -> SampleRatio:
    """Return whether the arms are as large as they should be, from every period since the release began."""
    periods = tuple(splits)
    n_t, n_c = sum(each.candidate for each in periods), sum(each.baseline for each in periods)
    log_e = math.fsum(log_e_of(each) for each in periods)
    return SampleRatio(baseline=n_c, candidate=n_t, p_value=min(1.0, math.exp(-min(log_e, 700.0))))


def log_e_of(split: Split) -> float:
    """Return the log of the mean Dirichlet-multinomial over the multinomial likelihood of one period's counts."""
    counts = (split.candidate, split.baseline)
    expected = sum(counts) * math.log(EXPECTED)
    found = [_log_marginal(counts, concentration) - expected for concentration in CONCENTRATIONS]
    top = max(found)
    return top + math.log(sum(math.exp(each - top) for each in found) / len(found))


def _log_marginal(counts: tuple[int, int], concentration: float) -> float:
    prior = concentration * EXPECTED
    parts = sum(math.lgamma(prior + n) - math.lgamma(prior) for n in counts)
    return math.lgamma(concentration) - math.lgamma(concentration + sum(counts)) + parts
