"""A sample-ratio mismatch is found soon, and equal arms hardly ever pass for one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from releases.srm import Split, judge, log_e_of


def test_equal_counts_are_no_mismatch() -> None:
    found = judge([Split(baseline=1000, candidate=1010)])

    assert not found.is_mismatch
    assert "have the sizes they should" in found.sentence


def test_arms_of_47_to_53_are_told_apart_at_ten_thousand_installs() -> None:
    found = judge([Split(baseline=5300, candidate=4700)])

    assert found.is_mismatch
    assert found.sentence == (
        "4 700 installs on the candidate and 5 300 on the baseline: 47 % where 50 % was expected; "
        "the arms do not have the sizes they should."
    )


def test_a_gross_mismatch_is_told_among_few() -> None:
    assert judge([Split(baseline=140, candidate=60)]).is_mismatch


def test_a_mismatch_may_be_looked_at_after_every_install() -> None:
    """Of 400 fleets without any mismatch at most 1 in 1000 may alarm ever; ten times that would be a bug."""
    random = np.random.default_rng(1)
    alarms = 0
    for _ in range(400):
        candidates = np.cumsum(random.random(2000) < 0.5)
        looks = range(50, 2000, 25)
        alarms += any(judge([Split(candidate=int(candidates[n]), baseline=n + 1 - int(candidates[n]))]).is_mismatch
                      for n in looks)  # fmt: skip

    assert alarms <= 4


def test_the_evidence_has_mean_one_when_nothing_is_wrong() -> None:
    """Summed over every outcome of 12 installs, the e-value weighs exactly 1."""
    n = 12
    total = sum(
        math.comb(n, k) * 0.5**n * math.exp(log_e_of(Split(candidate=k, baseline=n - k)))
        for k in range(n + 1)
    )  # fmt: skip

    assert total == pytest.approx(1)


def test_nothing_seen_says_nothing() -> None:
    assert judge([]).p_value == 1
