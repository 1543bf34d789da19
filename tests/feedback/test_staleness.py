from __future__ import annotations

from datetime import date, timedelta

from feedback.drift import Drift
from feedback.staleness import staleness

MONDAY = date(2026, 11, 16)


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
