"""What a noised count costs, when the week's budget has no more, and how far off its noise may be."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from feedback.noised import SPENT, Affordable, Budget, Charge, Query, decide, in_turn, left, off_by, spread
from feedback.scores import noised_share, share

WEEK = Budget(per_week=1.0, per_query=0.4)


def a_charge(key: str, epsilon: float = 0.4) -> Charge:
    return Charge(key=key, epsilon=epsilon, scale=1 / epsilon, cells={"reporting": 12})


def drawn(scale: float, size: int) -> np.ndarray:
    """Discrete Laplace made a second way: the difference of two geometric numbers."""
    rng = np.random.default_rng(20261127)
    stop = 1 - math.exp(-1 / scale)
    return np.asarray(rng.geometric(stop, size) - rng.geometric(stop, size))


def test_a_first_question_may_be_asked_at_the_price_of_a_query() -> None:
    assert decide("installs", (), WEEK) == Affordable(epsilon=0.4)


def test_the_same_question_gets_the_same_answer_even_when_the_budget_is_spent() -> None:
    told = (a_charge("installs"), a_charge("answers of kws"))

    assert decide("installs", told, WEEK) == told[0]


def test_a_question_over_the_weeks_budget_is_refused_with_a_sentence() -> None:
    told = (a_charge("installs"), a_charge("answers of kws"))

    assert decide("telemetry of kws", told, WEEK) == SPENT
    assert SPENT.reason == "this week's privacy budget is spent"


def test_ten_tenths_are_a_whole_and_an_eleventh_is_too_much() -> None:
    tenths = Budget(per_week=1.0, per_query=0.1)
    nine = tuple(a_charge(str(number), 0.1) for number in range(9))

    assert decide("tenth", nine, tenths) == Affordable(epsilon=0.1)
    assert decide("eleventh", (*nine, a_charge("tenth", 0.1)), tenths) == SPENT


def test_a_budget_made_smaller_than_what_was_spent_has_nothing_left() -> None:
    assert left((a_charge("installs", 3.0),), WEEK) == 0.0


@pytest.mark.parametrize("scale", [0.5, 2.0, 10.0])
def test_the_spread_and_the_bound_that_are_told_are_those_of_the_discrete_laplace(scale: float) -> None:
    noise = drawn(scale, 400_000)

    assert noise.std() == pytest.approx(spread(scale), rel=0.02)
    told = off_by(scale)
    assert np.mean(np.abs(noise) > told) <= 0.0515
    assert np.mean(np.abs(noise) > told - 1) > 0.05


@pytest.mark.parametrize(("hits", "n"), [(10, 60), (100, 400), (3, 400)])
def test_the_interval_of_a_noised_share_covers_what_is_behind_it(hits: int, n: int) -> None:
    rng = np.random.default_rng(7)
    chance, scale, rounds = hits / n, 4.0, 2_000
    sampled = rng.binomial(n, chance, rounds)
    noise = drawn(scale, 2 * rounds)
    covered = 0
    for told, up, down in zip(sampled, noise[:rounds], noise[rounds:], strict=True):
        yes, no = max(0, int(told + up)), max(0, int(n - told + down))
        score = noised_share(yes, yes + no, spread=spread(scale))
        covered += score.low <= chance <= score.high

    assert covered / rounds >= 0.94


def test_without_noise_a_noised_share_is_a_share() -> None:
    assert noised_share(12, 40, spread=0.0) == share(12, 40)


@pytest.mark.parametrize(("queries", "paid"), [(9, 2), (6, 4), (4, 2), (5, 1)])
def test_where_the_budget_does_not_pay_for_all_each_query_is_told_as_often(queries: int, paid: int) -> None:
    budget = Budget(per_week=0.1 * paid, per_query=0.1)
    asked = [Query(key=f"{number}", cells={}, bound=1) for number in range(queries)]

    first = Counter(
        query.key for week in range(3000, 3000 + queries) for query in in_turn(asked, week=week, budget=budget)[:paid]
    )

    assert first == {query.key: paid for query in asked}


@pytest.mark.parametrize("per_week", [0.05, 0.4, 5.0])
def test_where_the_budget_pays_for_all_or_none_the_order_stays(per_week: float) -> None:
    asked = [Query(key=f"{number}", cells={}, bound=1) for number in range(4)]

    assert in_turn(asked, week=3001, budget=Budget(per_week=per_week, per_query=0.1)) == asked
