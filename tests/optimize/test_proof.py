"""The exact test behind `auto`'s choice: right where few answers change, held against second ways to compute it."""

from __future__ import annotations

import numpy as np
import pytest

from optimize.evaluate import difference_interval
from optimize.proof import ERROR, error_of, proves


def test_without_any_change_it_is_the_chance_of_seeing_none() -> None:
    """(1 − margin)ⁿ: with 540 inputs a loss of 1 pp stays unseen in 0.4 %."""
    assert 0.99**540 <= error_of(0, 0, 540, 0.01) < 1.3 * 0.99**540


def test_more_broken_is_never_better() -> None:
    errors = [error_of(broke, 1, 1080, 0.01) for broke in range(12)]

    assert errors == sorted(errors)
    assert errors[0] < 0.001 < 0.3 < errors[-1]


def test_more_inputs_prove_more() -> None:
    assert not proves(3, 0, 720, 0.01, ERROR)
    assert proves(3, 0, 1080, 0.01, ERROR)
    assert proves(14, 5, 3000, 0.01, ERROR)


@pytest.mark.parametrize("n", [270, 540, 810, 1080, 3000])
@pytest.mark.parametrize("mended", [0.0, 0.003, 0.01])
@pytest.mark.parametrize("error", [0.025, 0.00625])
def test_what_truly_loses_the_margin_passes_as_rarely_as_promised(n: int, mended: float, error: float) -> None:
    random = np.random.default_rng(n)
    counts = random.multinomial(n, [0.01 + mended, mended, 0.99 - 2 * mended], 20_000)
    kinds, times = np.unique(counts[:, :2], axis=0, return_counts=True)

    passed = sum(
        int(number)
        for (broke, won), number in zip(kinds, times, strict=True)
        if proves(int(broke), int(won), n, 0.01, error)
    )

    assert passed / 20_000 <= error + 4 * (error / 20_000) ** 0.5


def test_the_interval_by_formula_alone_is_too_sure_where_little_changes() -> None:
    """Two broken of 720 at a quarter of the error: the formula's interval would let twice as many pass."""
    assert difference_interval(2, 0, 720, z=2.497705)[0] >= -0.01
    assert error_of(2, 0, 720, 0.01) > 2 * 0.00625


@pytest.mark.parametrize(("broke", "mended", "n"), [(200, 0, 1000), (0, 100, 1000), (8, 0, 8), (5, 5, 8)])
def test_what_lies_outside_of_its_tables_is_not_proven(broke: int, mended: int, n: int) -> None:
    assert not proves(broke, mended, n, 0.01, ERROR)
