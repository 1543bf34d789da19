"""Scores against published examples, a second way to compute them, and properties."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, multinomial

from feedback.scores import (
    Score,
    chances,
    csat,
    debiased_share,
    difference,
    discoveries,
    mean,
    nps,
    p_below,
    satisfied_from,
    score,
    share,
    thumbs,
)

RARE_AND_COMMON = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
RATINGS = st.dictionaries(st.integers(1, 5), st.integers(0, 400)).filter(lambda counts: sum(counts.values()) > 0)


# Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_the_published_interval(hits: int, n: int, low: float, high: float) -> None:
    assert [share(hits, n).low, share(hits, n).high] == pytest.approx([low, high], abs=6e-5)


@given(RARE_AND_COMMON)
def test_a_share_agrees_with_scipy(counts: tuple[int, int]) -> None:
    found, interval = share(*counts), binomtest(*counts).proportion_ci(method="wilson")

    assert found.low == pytest.approx(interval.low, abs=1e-9)
    assert found.high == pytest.approx(interval.high, abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1


# Newcombe (1998), "Interval estimation for the difference between independent proportions", table II, method 10.
@pytest.mark.parametrize(
    ("after", "before", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_a_change_has_the_published_interval(
    after: tuple[int, int], before: tuple[int, int], low: float, high: float
) -> None:
    change = difference(share(*after), share(*before))

    assert [change.low, change.high] == pytest.approx([low, high], abs=6e-5)
    assert change.is_clear is (low > 0 or high < 0)


def test_scores_of_different_units_have_no_difference() -> None:
    with pytest.raises(ValueError, match="points"):
        difference(share(1, 2), nps({9: 1}))


def test_nps_is_promoters_minus_detractors() -> None:
    found = nps({10: 40, 9: 10, 8: 20, 7: 10, 6: 10, 0: 10})

    assert found.value == pytest.approx(100 * (50 - 20) / 100)
    assert found.unit == "points"
    # Large samples: the exact variance p + d - (p - d)², without the pretended answers.
    many = nps({10: 50_000, 8: 30_000, 0: 20_000})
    half = 100 * 1.959964 * math.sqrt((0.5 + 0.2 - 0.09) / 100_000)
    assert [many.low, many.high] == pytest.approx([30 - half, 30 + half], abs=0.01)


@pytest.mark.parametrize("n", [10, 25, 60])
@pytest.mark.parametrize("shares", [(0.1, 0.3, 0.6), (0.05, 0.05, 0.9), (0.4, 0.2, 0.4)])
def test_the_interval_of_nps_covers_the_truth(n: int, shares: tuple[float, float, float]) -> None:
    truth, covered = 100 * (shares[2] - shares[0]), 0.0
    for low, high in itertools.product(range(n + 1), repeat=2):
        if low + high <= n:
            found = nps({0: low, 7: n - low - high, 10: high})
            if found.low <= truth <= found.high:
                covered += float(multinomial.pmf([low, n - low - high, high], n, shares))

    assert covered >= 0.92


@given(RATINGS)
def test_a_mean_lies_in_its_interval_and_on_its_scale(counts: dict[int, int]) -> None:
    found = mean(counts, lowest=1, highest=5)

    values = [value for value, count in counts.items() for _ in range(count)]
    assert found.value == pytest.approx(math.fsum(values) / len(values))
    assert 1 <= found.low <= found.value <= found.high <= 5


def test_agreement_of_few_is_no_certainty() -> None:
    assert mean({5: 8}, lowest=1, highest=5).low < 4.6
    assert nps({10: 8}).low < 80
    assert csat({5: 8}).low < 0.7


@pytest.mark.parametrize(("scale", "edge"), [(2, 2), (3, 3), (4, 3), (5, 4), (7, 6), (10, 9)])
def test_satisfied_are_the_top_two(scale: int, edge: int) -> None:
    assert satisfied_from(scale) == edge


@given(RATINGS)
def test_csat_is_the_share_of_four_and_five(counts: dict[int, int]) -> None:
    happy = counts.get(4, 0) + counts.get(5, 0)

    assert csat(counts) == share(happy, sum(counts.values())) == score("csat", counts)


def test_every_type_has_its_score() -> None:
    assert score("thumbs", {1: 3, 0: 1}) == thumbs({1: 3, 0: 1}) == share(3, 4)
    assert score("ces", {7: 3, 1: 1}, scale=7) == mean({7: 3, 1: 1}, lowest=1, highest=7)
    assert score("rating", {3: 3, 1: 1}, scale=3) == mean({3: 3, 1: 1}, lowest=1, highest=3)
    assert score("nps", {9: 1}) == nps({9: 1})
    assert score("open", {1: 3}) is None
    assert score("csat", {}) is None


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_an_impossible_share_is_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        share(hits, n)


@pytest.mark.parametrize("counts", [{}, {6: 1}, {0: 1}, {3: -1, 4: 5}])
def test_an_impossible_mean_is_refused(counts: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="no mean"):
        mean(counts, lowest=1, highest=5)


def test_an_impossible_nps_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="not an NPS answer"):
        nps({11: 1})


@given(st.integers(2, 8), st.floats(0.2, 6), st.floats(0, 1))
def test_randomized_answers_are_debiased(options: int, epsilon: float, truth: float) -> None:
    n = 10_000_000
    keep = math.exp(epsilon) / (math.exp(epsilon) + options - 1)
    seen = round(n * (truth * keep + (1 - truth) * (1 - keep) / (options - 1)))

    found = debiased_share(seen, n, options=options, epsilon=epsilon)

    assert found.value == pytest.approx(truth, abs=1e-4)
    assert found.low <= found.value <= found.high


SHARES = st.integers(2, 10).flatmap(lambda scale: st.lists(st.integers(0, 50), min_size=scale, max_size=scale))


@given(SHARES.filter(any), st.sampled_from(["csat", "ces", "rating"]), st.floats(0.5, 6))
def test_every_score_of_randomized_answers_is_that_of_the_true_ones(
    weights: list[int], kind: str, epsilon: float
) -> None:
    scale = len(weights)

    found = score(kind, randomized(weights, epsilon, first=1), scale=scale, epsilon=epsilon)
    truth = score(kind, {value: 10**7 * weight for value, weight in enumerate(weights, 1)}, scale=scale)

    assert found is not None
    assert truth is not None
    assert found.value == pytest.approx(truth.value, abs=1e-3)


@given(st.lists(st.integers(0, 50), min_size=11, max_size=11).filter(any), st.floats(0.5, 6))
def test_an_nps_of_randomized_answers_is_that_of_the_true_ones(weights: list[int], epsilon: float) -> None:
    found = score("nps", randomized(weights, epsilon, first=0), epsilon=epsilon)

    assert found is not None
    assert found.value == pytest.approx(nps(dict(enumerate(weights))).value, abs=0.1)


def randomized(weights: list[int], epsilon: float, *, first: int) -> dict[int, int]:
    """Return what very many phones send whose true answers are shared out by `weights`."""
    options, n = len(weights), 10**9
    keep = math.exp(epsilon) / (math.exp(epsilon) + options - 1)
    shares = [weight / sum(weights) for weight in weights]
    seen = [share * keep + (1 - share) * (1 - keep) / (options - 1) for share in shares]
    return {value: round(n * part) for value, part in enumerate(seen, first)}


def test_randomized_thumbs_are_debiased() -> None:
    keep = math.e / (math.e + 1)
    found = score(
        "thumbs",
        {1: round(10**8 * (0.8 * keep + 0.2 * (1 - keep))), 0: round(10**8 * (0.8 * (1 - keep) + 0.2 * keep))},
        epsilon=1,
    )

    assert found is not None
    assert found.value == pytest.approx(0.8, abs=1e-4)


def test_randomized_answers_have_a_wider_interval() -> None:
    assert debiased_share(50, 100, options=2, epsilon=1).low < share(50, 100).low
    with pytest.raises(ValueError, match="epsilon"):
        debiased_share(1, 2, options=2, epsilon=0)


def test_a_score_is_known_by_its_numbers() -> None:
    assert Score(value=1.0, low=0.5, high=1.0, n=4) == Score(value=1.0, low=0.5, high=1.0, n=4, unit="share")


def test_nobody_is_sure_after_a_coin_even_where_all_agree() -> None:
    for hits in (0, 20):
        found = debiased_share(hits, 20, options=5, epsilon=0.5)
        assert found.high - found.low > 0.05
        assert found.low <= found.value <= found.high
        assert found.value in (0, 1)


@pytest.mark.parametrize("n", [20, 60, 300])
@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
def test_the_interval_of_a_randomized_share_covers_the_truth(epsilon: float, n: int) -> None:
    told, other = chances(5, epsilon)
    found = [debiased_share(hits, n, options=5, epsilon=epsilon) for hits in range(n + 1)]
    covered = []
    for truth in np.linspace(0, 1, 51):
        likely = binom.pmf(range(n + 1), n, truth * told + (1 - truth) * other)
        covered.append(sum(one for one, each in zip(likely, found, strict=True) if each.low <= truth <= each.high))

    assert np.mean(covered) >= 0.95
    # Of a few answers Wilson's interval covers in steps, which go down to this.
    assert min(covered) >= 0.91


@pytest.mark.parametrize("truth", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_the_interval_of_a_change_after_a_coin_covers_that_nothing_changed(
    epsilon: float, n: int, truth: float
) -> None:
    told, other = chances(5, epsilon)
    rng = np.random.default_rng(11)
    seen = rng.binomial(n, truth * told + (1 - truth) * other, size=(2000, 2)).tolist()

    clear = sum(
        difference(
            debiased_share(after, n, options=5, epsilon=epsilon), debiased_share(before, n, options=5, epsilon=epsilon)
        ).is_clear
        for after, before in seen
    )

    assert clear <= 0.055 * len(seen)


@pytest.mark.parametrize(
    ("epsilon", "n", "truth"), [(0.5, 20, 0.1), (1.0, 20, 0.1), (1.0, 60, 0.9), (4.0, 20, 0.1), (2.0, 300, 0.5)]
)
def test_of_cohorts_that_are_alike_hardly_one_is_found_low_after_a_coin(epsilon: float, n: int, truth: float) -> None:
    told, other = chances(5, epsilon)
    rng = np.random.default_rng(13)
    hidden = np.array([(1 - truth) / 3] * 3 + [truth / 2] * 2)
    reports = rng.multinomial(n, hidden * told + (1 - hidden) * other, size=(500, 20))

    found = [is_any_low([*cohorts.tolist(), cohorts.sum(axis=0).tolist()], epsilon) for cohorts in reports]

    assert sum(found) <= 0.05 * len(found)


def test_a_cohort_that_is_worse_is_still_found_after_a_coin() -> None:
    high = randomized([10, 10, 10, 35, 35], 1.0, first=1)
    low = randomized([30, 30, 20, 10, 10], 1.0, first=1)
    usual = [[round(part * 500 / 10**9) for part in counts.values()] for counts in (high, high, high, low)]

    assert is_any_low([*usual, [sum(parts) for parts in zip(*usual, strict=True)]], 1.0)


def is_any_low(counts: list[list[int]], epsilon: float) -> bool:
    """Judge cohorts against all of them, which come last, as a report does."""
    scores = [score("csat", dict(enumerate(each, 1)), epsilon=epsilon) for each in counts]
    *cohorts, overall = [each for each in scores if each is not None]
    return bool(discoveries([p_below(each, overall) for each in cohorts]))
