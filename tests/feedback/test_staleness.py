from __future__ import annotations

import random
from datetime import date, timedelta

from feedback.drift import Drift
from feedback.staleness import reliability, staleness

MONDAY = date(2026, 11, 16)


def test_a_model_too_sure_of_itself_is_off_and_one_that_is_not_is_not() -> None:
    rng = random.Random(5)
    confidences = [rng.uniform(0.5, 1) for _ in range(2000)]
    honest = reliability([(each, rng.random() < each) for each in confidences])
    sure = reliability([(each, rng.random() < each - 0.1) for each in confidences])

    assert honest is not None
    assert sure is not None
    assert not honest.is_off
    assert sure.is_off
    assert sure.low < 0.1 < sure.high
    assert sure.error >= abs(sure.gap)
    assert reliability([(0.9, True)]) is None


def test_the_interval_of_the_gap_covers_as_often_as_it_says() -> None:
    rng = random.Random(4)
    covered = 0
    for _ in range(200):
        found = reliability([(c := rng.uniform(0.4, 0.9), rng.random() < c - 0.05) for _ in range(150)])
        covered += found is not None and found.low <= 0.05 <= found.high

    assert 183 <= covered <= 198  # 190 expected


def test_a_model_is_stale_by_age_by_its_data_or_by_drift() -> None:
    fresh = staleness(today=MONDAY, released=MONDAY - timedelta(days=10), goal_days=90)
    old = staleness(
        today=MONDAY,
        released=MONDAY - timedelta(days=100),
        data_until=MONDAY - timedelta(days=400),
        goal_days=90,
        data_goal_days=365,
        drifts=[Drift(cohort="c", measure="outputs", psi=0.1, p=0.0, n=900, outcome="A", before=0.5, after=0.4)],
    )

    assert (fresh.model_days, fresh.data_days, fresh.reasons) == (10, None, ())
    assert old.reasons == (
        "released 100 days ago, the goal is 90",
        "its newest data are 400 days old, the goal is 365",
        "outputs drifted since its release",
    )
