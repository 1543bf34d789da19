"""Paired comparison of a variant's answers with its parent's."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimize.evaluate import Comparison, answers, at_most, compare, difference_interval, mcnemar
from tests.optimize.builders import a_comparison


def test_counts_what_broke_and_what_was_mended() -> None:
    found = a_comparison(n=540, broke=3, mended=1, wrong=5)

    assert (found.broke, found.mended, found.flips) == (3, 1, 4)
    assert found.difference == pytest.approx(-2 / 540)
    assert found.p == pytest.approx(0.625)
    assert found.low is not None
    assert found.high is not None
    assert found.low < -2 / 540 < found.high


def test_the_interval_covers_the_truth_in_95_of_100_draws() -> None:
    random = np.random.default_rng(0)
    n, broke, mended = 540, 0.012, 0.006
    draws = random.multinomial(n, [broke, mended, 1 - broke - mended], size=4000)

    inside = [low <= mended - broke <= high for low, high in (difference_interval(b, c, n) for b, c, _ in draws)]

    assert 0.94 <= float(np.mean(inside)) <= 0.985


def test_mcnemar_is_the_exact_binomial_test() -> None:
    from scipy.stats import binomtest

    for broke, mended in ((0, 0), (1, 0), (6, 1), (9, 9), (30, 12)):
        expected = binomtest(broke, broke + mended).pvalue if broke + mended else 1.0
        assert mcnemar(broke, mended) == pytest.approx(expected)
    assert mcnemar(2000, 1800) == pytest.approx(binomtest(2000, 3800).pvalue, abs=0.001)


def test_no_flips_mean_at_most_three_in_n() -> None:
    found = a_comparison(n=540)

    assert found.flips == 0
    assert found.flips_high == pytest.approx(3 / 540)
    assert at_most(0, 2) == 1.0


def test_names_the_class_that_lost_most() -> None:
    y = np.repeat([0, 1, 2], 20)
    before = np.eye(3)[y]
    after = before.copy()
    after[20:30] = np.eye(3)[2]

    found = compare(before, after, y)

    assert (found.worst_class, found.worst_difference, found.worst_accuracy) == (1, -0.5, 0.5)


def test_without_labels_only_agreement_is_told() -> None:
    random = np.random.default_rng(0)
    before = random.standard_normal((100, 4))

    found = compare(before, before + 0.01 * random.standard_normal((100, 4)), None)

    assert (found.accuracy_before, found.difference, found.p, found.worst_class) == (None, None, None, None)
    assert found.sqnr_db == pytest.approx(40, abs=1)
    assert 0 < found.max_difference < 0.06


def test_scores_that_are_not_numbers_are_never_right() -> None:
    y = np.zeros(10, np.int64)
    before = np.tile([1.0, 0.0], (10, 1))
    after = before.copy()
    after[0] = np.nan

    assert compare(before, after, y).broke == 1


def test_one_score_for_each_row_is_yes_or_no() -> None:
    assert answers(np.array([0.2, 0.7])).tolist() == [0, 1]
    assert answers(np.array([-3.0, 0.2])).tolist() == [0, 1]


def test_scores_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        compare(np.zeros((4, 3)), np.zeros((4, 2)), None)


def test_facts_make_the_same_comparison_again() -> None:
    found = a_comparison(broke=2)

    assert Comparison.read(asdict(found)) == found


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 1000))
def test_the_interval_holds_the_difference(broke: int, mended: int, same: int) -> None:
    n = broke + mended + same
    if n == 0:
        return
    low, high = difference_interval(broke, mended, n)

    assert -1 <= low <= high <= 1
    assert low - 2 / (n + 2) <= (mended - broke) / n <= high + 2 / (n + 2)
