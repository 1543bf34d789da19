from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from feedback.drift import DayCounts, Drift, find_drift, psi, watch

MONDAY = date(2026, 11, 16)
MIX = {"A": 0.5, "B": 0.3, "C": 0.15, "other": 0.05}
MOVED = {"A": 0.38, "B": 0.38, "C": 0.17, "other": 0.07}  # a PSI of .06


def a_day(rng: random.Random, cohort: str, day: date, mix: dict[str, float], n: int, *, each: int = 1) -> DayCounts:
    """Return n outcomes, of phones that say the same `each` times."""
    counts = dict.fromkeys(mix, 0)
    for outcome in rng.choices(list(mix), weights=list(mix.values()), k=n // each):
        counts[outcome] += each
    return DayCounts(cohort=cohort, measure="outputs", day=day, counts=counts)


def weeks(
    seed: int = 0, *, cohorts: int = 12, n: int = 100, each: int = 1, moved: frozenset[int] = frozenset()
) -> list[DayCounts]:
    """Return five weeks that end before Monday + 7; weekends are another mix; `moved` cohorts changed on Monday."""
    rng = random.Random(seed)
    found = []
    for cohort in range(cohorts):
        for back in range(-28, 7):
            day = MONDAY + timedelta(days=back)
            mix = MOVED if cohort in moved and back >= 0 else MIX
            if day.weekday() >= 5:
                mix = mix | {"A": mix["A"] - 0.2, "B": mix["B"] + 0.2}
            found.append(a_day(rng, f"chipset=c{cohort}", day, mix, n, each=each))
    return found


def drifts(days: list[DayCounts]) -> tuple[Drift, ...]:
    return find_drift(days, since=MONDAY, until=MONDAY + timedelta(days=7))


def test_a_cohort_that_moved_is_named_with_what_moved_most() -> None:
    (drift,) = drifts(weeks(moved=frozenset({3})))

    assert (drift.cohort, drift.measure, drift.outcome, drift.n) == ("chipset=c3", "outputs", "A", 700)
    assert drift.before > drift.after + 0.08
    assert drift.psi == pytest.approx(0.06, abs=0.035)


def test_the_weekend_is_compared_with_weekends() -> None:
    days = [day for day in weeks() if day.day < MONDAY + timedelta(days=2)]

    assert drifts(weeks()) == ()
    assert find_drift(days, since=MONDAY, until=MONDAY + timedelta(days=2)) == ()


@pytest.mark.parametrize("each", [1, 10])
def test_where_nothing_moved_hardly_a_cohort_alarms(each: int) -> None:
    alarms = sum(len(drifts(weeks(seed, n=60, each=each))) for seed in range(25))

    assert alarms <= 3  # of 300; at most 1 % should


def test_what_moved_nearly_everywhere_is_told_once() -> None:
    (drift,) = drifts(weeks(moved=frozenset(range(11))))

    assert drift.cohort == ""
    assert drift.n == 12 * 700


def test_a_change_too_small_to_matter_is_not_told_however_sure_it_is() -> None:
    slight = {"A": 0.48, "B": 0.32, "C": 0.15, "other": 0.05}
    rng = random.Random(1)
    days = [
        a_day(rng, "c", MONDAY + timedelta(days=back), MIX if back < 0 else slight, 20_000) for back in range(-28, 7)
    ]

    assert drifts(days) == ()


def test_a_rare_outcome_that_doubles_is_drift_though_its_psi_is_tiny() -> None:
    days = [
        DayCounts(
            cohort=f"c{cohort}",
            measure="fallback",
            day=MONDAY + timedelta(days=back),
            counts={"bad": 10 if back >= 0 and cohort == 1 else 5, "fine": 995},
        )
        for cohort in range(4)
        for back in range(-28, 7)
    ]

    (drift,) = drifts(days)

    assert (drift.cohort, drift.measure) == ("c1", "fallback")
    assert drift.psi < 0.02


def test_cohorts_without_a_past_or_with_few_counts_are_left_out() -> None:
    new = [DayCounts(cohort="new", measure="outputs", day=MONDAY, counts={"A": 900, "B": 10})]
    few = [
        DayCounts(cohort="few", measure="outputs", day=MONDAY - timedelta(days=back), counts={"A": 1, "B": 1})
        for back in range(29)
    ]

    assert drifts(new + few) == ()
    assert drifts([]) == ()


def test_the_index_is_that_of_the_formula() -> None:
    # (.6 - .5) ln(.6 / .5) + (.4 - .5) ln(.4 / .5)
    assert psi({"a": 0.6, "b": 0.4}, {"a": 0.5, "b": 0.5}, n=1e9, m=1e9) == pytest.approx(0.0405465, abs=1e-6)


def test_a_small_shift_that_lasts_is_found_by_looking_at_four_weeks() -> None:
    slight = {"A": 0.44, "B": 0.36, "C": 0.13, "other": 0.07}
    rng = random.Random(8)
    days = [
        a_day(rng, f"c{cohort}", MONDAY + timedelta(days=back), slight if back >= 0 and not cohort else MIX, 60)
        for back in range(-40, 28)
        for cohort in range(12)
    ]

    assert drifts(days) == ()
    assert [drift.cohort for drift in watch(days, until=MONDAY + timedelta(days=28))] == ["c0"]
