"""Looked at every minute for two weeks, equal arms alarm in one release of twenty at most, whatever the traffic."""

from __future__ import annotations

import pytest

from bench.guardrail_simulations import Case, agree, cases, delays, false_alarms, mean_delays


def test_the_simulations_run_on_the_evidence_that_runs() -> None:
    assert agree(seed=3) < 1e-9


@pytest.mark.parametrize("case", cases(days=3), ids=lambda case: case.name)
def test_equal_arms_hardly_alarm_in_three_days(case: Case) -> None:
    assert false_alarms(case, runs=60, seed=11).ours <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_equal_arms_alarm_in_one_release_of_twenty_at_most(case: Case) -> None:
    assert false_alarms(case, runs=400, seed=12).ours <= 0.05


@pytest.mark.parametrize(
    ("base", "worse", "share"), [(0.005, 0.01, 0.5), (0.005, 0.01, 0.05), (0.05, 0.10, 0.5)],
    ids=["crashes double", "crashes double on one install of twenty", "twice as many are slow"],
)  # fmt: skip
def test_harm_is_found_about_as_soon_as_by_a_test_at_one_look(base: float, worse: float, share: float) -> None:
    median, p80 = delays(base=base, worse=worse, share=share, runs=300, seed=13).ours

    assert median <= 1.25
    assert p80 <= 2.1


def test_a_fall_in_satisfaction_is_found_about_as_soon() -> None:
    median, p80 = mean_delays(gap=0.2, spread=1.0, runs=60, seed=14)

    assert median <= 1.25
    assert p80 <= 2.1
