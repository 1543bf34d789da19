"""The evidence agrees with published numbers and with second ways to compute it."""

from __future__ import annotations

import math

import pytest

from releases.eprocess import (
    difference_of_means,
    difference_of_rates,
    log_e_of_means,
    log_e_of_rates,
    mixture,
    ratio_of_rates,
    repeats,
)
from releases.measurements import Arm, Stratum
from tests.builders import at


def a_stratum(k_c: float, n_c: int, k_t: float, n_t: int, *, hour: float = 0) -> Stratum:
    return Stratum(hour=at(hour), name="all", baseline=Arm(n=n_c, total=k_c, total_sq=k_c),
                   candidate=Arm(n=n_t, total=k_t, total_sq=k_t))  # fmt: skip


@pytest.mark.parametrize(("variance", "gap"), [(10, 11.32), (100, 27.66), (1000, 94.65)])
def test_the_boundary_for_means_agrees_with_the_published_normal_mixture(variance: float, gap: float) -> None:
    assert mixture(gap, variance) == pytest.approx(math.log(20), abs=0.005)


def test_evidence_does_not_depend_on_how_hours_are_cut_when_the_arms_keep_their_shares() -> None:
    whole = [(a_stratum(6, 300, 15, 300), 1.0)]
    cut = [(a_stratum(2, 100, 5, 100, hour=hour), 1.0) for hour in range(3)]

    assert log_e_of_rates(whole) == pytest.approx(log_e_of_rates(cut))


def test_evidence_of_rates_is_the_mean_of_binomial_likelihood_ratios() -> None:
    k_t, k_c, theta = 9, 2, 0.5
    ratios = [
        (r * theta / (r * theta + 1 - theta)) ** k_t * ((1 - theta) / (r * theta + 1 - theta)) ** k_c
        / (theta**k_t * (1 - theta) ** k_c)
        for r in (1.1, 1.25, 1.5, 2, 3, 5)
    ]  # fmt: skip

    assert log_e_of_rates([(a_stratum(k_c, 100, k_t, 100), 1.0)]) == pytest.approx(math.log(sum(ratios) / 6))


def test_a_weekend_that_doubles_every_crash_in_a_widening_release_is_no_evidence() -> None:
    friday, saturday = a_stratum(10, 1000, 1, 100), a_stratum(20, 1000, 20, 1000, hour=24)

    assert log_e_of_rates([(friday, 1.0), (saturday, 1.0)]) < 0


def test_a_cell_with_one_arm_only_says_nothing() -> None:
    assert log_e_of_rates([(a_stratum(0, 0, 50, 100), 1.0)]) == 0
    assert log_e_of_means([a_stratum(0, 0, 50, 100)], allowed=0) == 0


def test_a_larger_allowed_ratio_leaves_less_evidence() -> None:
    cell = a_stratum(10, 1000, 40, 1000)

    assert log_e_of_rates([(cell, 1.0)]) > log_e_of_rates([(cell, 1.5)]) > log_e_of_rates([(cell, 4.0)])


def test_the_difference_of_one_stratum_is_newcombes_published_example() -> None:
    effect = difference_of_rates([a_stratum(48, 80, 56, 70)])

    assert (effect.value, effect.low, effect.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-4)


def test_no_harm_at_all_still_has_an_interval() -> None:
    effect = difference_of_rates([a_stratum(0, 50, 0, 50)])

    assert effect.value == 0
    assert effect.low == pytest.approx(-effect.high)
    assert effect.high > 0.05


def test_the_ratio_of_one_stratum_is_that_of_its_rates() -> None:
    effect = ratio_of_rates([a_stratum(10, 100, 20, 100)])

    assert effect is not None
    assert effect.value == pytest.approx(1.0)
    width = 1.959964 * math.sqrt(1 / 20 - 1 / 100 + 1 / 10 - 1 / 100)
    assert effect.high == pytest.approx(2 * math.exp(width) - 1)


def test_a_ratio_without_any_harm_in_one_arm_is_not_known() -> None:
    assert ratio_of_rates([a_stratum(0, 100, 5, 100)]) is None


def test_strata_of_different_levels_do_not_pass_for_an_effect() -> None:
    slow = Stratum(hour=at(0), name="slow", baseline=_constant(10, 8.0), candidate=_constant(90, 8.0))
    fast = Stratum(hour=at(0), name="fast", baseline=_constant(90, 2.0), candidate=_constant(10, 2.0))

    assert difference_of_means([slow, fast]).value == pytest.approx(0)
    assert log_e_of_means([slow, fast], allowed=0) == 0


def test_what_the_same_installs_repeat_every_hour_is_no_new_evidence() -> None:
    def hours(n: int) -> list[Stratum]:
        slow, fast = Arm(n=100, total=320, total_sq=1124), Arm(n=100, total=300, total_sq=1000)
        return [Stratum(hour=at(hour), name="all", baseline=fast, candidate=slow) for hour in range(n)]

    assert repeats(hours(24)) == 24
    assert log_e_of_means(hours(24), allowed=0) == pytest.approx(log_e_of_means(hours(1), allowed=0))
    day, hour = difference_of_means(hours(24)), difference_of_means(hours(1))
    assert (day.value, day.low, day.high) == pytest.approx((hour.value, hour.low, hour.high))


def _constant(n: int, value: float) -> Arm:
    return Arm(n=n, total=n * value, total_sq=n * value * value)
