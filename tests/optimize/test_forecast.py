"""What confirming inputs will say, foretold from few others."""

from __future__ import annotations

import numpy as np
import pytest

from optimize.evaluate import answers
from optimize.forecast import Expected, chance, expect
from optimize.proof import ERROR, proves


def some_scores(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores of three classes, the same with noise, and labels of which about 98 % are the first's answer."""
    random = np.random.default_rng(seed)
    before = random.standard_normal((n, 3)) * 2
    before[np.arange(n), random.integers(3, size=n)] += 4
    y = answers(before)
    wrong = random.random(n) < 0.02
    y[wrong] = (y[wrong] + 1) % 3
    return before, before + noise * random.standard_normal((n, 3)), y


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
def test_the_forecast_from_few_inputs_meets_the_count_on_many(noise: float) -> None:
    before, after, y = some_scores(40_000, noise)
    counted = float(((answers(before) == y) & (answers(after) != y)).mean())

    foretold = [expect(before[rows], after[rows], y[rows]).broke for rows in np.arange(36_000).reshape(100, 360)]

    assert np.mean(foretold) == pytest.approx(counted, rel=0.3)


def test_the_forecast_wavers_less_than_the_count() -> None:
    before, after, y = some_scores(36_000, 0.1)
    rows = np.arange(36_000).reshape(100, 360)

    foretold = [expect(before[some], after[some], y[some]).broke for some in rows]
    counted = [float((answers(before[some]) != answers(after[some])).mean()) for some in rows]

    assert np.std(foretold) < 0.8 * np.std(counted)


def test_an_identical_copy_is_expected_to_break_nothing() -> None:
    before, _, y = some_scores(360, 0.1)

    expected = expect(before, before, y)

    assert expected == Expected(broke=0.0, mended=0.0)
    assert chance(expected, 720, 0.01) == pytest.approx(1.0)


def test_one_score_of_yes_or_no_has_its_margin_to_the_threshold() -> None:
    before = np.linspace(0.01, 0.99, 200)[:, None]

    assert expect(before, 1 - before, None).broke > 0.4
    assert expect(before, before, None).broke == 0


def test_scores_that_are_no_numbers_are_expected_to_break_everything() -> None:
    before, _, y = some_scores(100, 0.1)

    assert expect(before, np.full_like(before, np.nan), y).broke > 0.9


def test_the_chance_is_what_a_simulation_counts() -> None:
    random = np.random.default_rng(0)
    broke, mended = random.poisson(0.004 * 720, 4_000), random.poisson(0.001 * 720, 4_000)
    passed = [proves(int(b), int(m), 720, 0.01, ERROR) for b, m in zip(broke, mended, strict=True)]

    found = chance(Expected(broke=0.004, mended=0.001), 720, 0.01)

    assert found == pytest.approx(np.mean(passed), abs=0.03)
