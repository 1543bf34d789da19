"""Dropping channels and refitting what reads them."""

from __future__ import annotations

import numpy as np
import pytest

from optimize import repair
from optimize.repair import Layer, Moments


def a_layer(x: np.ndarray, weight: np.ndarray, *, width: int = 1, bias: bool = True) -> Layer:
    y = x @ weight + (0.5 if bias else 0.0)
    half = len(x) // 2
    fit, held_out = Moments.empty(*weight.shape), Moments.empty(*weight.shape)
    fit.add(x[:half], y[:half])
    held_out.add(x[half:], y[half:])
    given = np.full(weight.shape[1], 0.5) if bias else None
    return Layer(weight=weight, bias=given, width=width, fit=fit, held_out=held_out)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_channel_that_copies_another_goes_first_and_is_repaired_without_loss(random: np.random.Generator) -> None:
    x = random.standard_normal((2000, 4))
    x[:, 3] = 2 * x[:, 1]
    layer = a_layer(x, random.standard_normal((4, 3)))

    order = repair.elimination_order([layer])
    kept = np.sort(order[1:])

    assert order[0] in (1, 3)
    assert repair.error(layer, kept, *repair.refit(layer, kept)) < 1e-3


def test_keeping_all_channels_changes_nothing(random: np.random.Generator) -> None:
    layer = a_layer(random.standard_normal((500, 6)), random.standard_normal((6, 2)))

    weight, bias = repair.refit(layer, np.arange(6))

    assert weight == pytest.approx(layer.weight, abs=1e-9)
    assert bias == pytest.approx(layer.bias, abs=1e-9)


def test_scores_are_the_error_that_dropping_adds(random: np.random.Generator) -> None:
    """The closed form of optimal brain surgeon against refitting without each channel, one by one."""
    layer = a_layer(random.standard_normal((4000, 6)) @ random.standard_normal((6, 6)), random.standard_normal((6, 2)))
    judged = Layer(weight=layer.weight, bias=layer.bias, width=2, fit=layer.fit, held_out=layer.fit)

    brute = [
        repair.error(judged, kept, *repair.refit(judged, kept)) for kept in map(np.array, ([1, 2], [0, 2], [0, 1]))
    ]

    assert repair.elimination_order([judged])[0] == int(np.argmin(brute))


def test_fewest_keeps_within_the_error_and_one_less_would_not(random: np.random.Generator) -> None:
    x = random.standard_normal((3000, 10)) * np.linspace(0.05, 2, 10)
    layer = a_layer(x, random.standard_normal((10, 4)))
    order = repair.elimination_order([layer])

    kept = repair.fewest([layer], order, 0.02)

    def lost(n: int) -> float:
        left = np.sort(order[10 - n :])
        return repair.error(layer, left, *repair.refit(layer, left))

    assert lost(len(kept)) <= 0.02 < lost(len(kept) - 1)


def test_few_rows_do_no_harm(random: np.random.Generator) -> None:
    """Five rows cannot fit forty columns; the weights stay near what they were."""
    layer = a_layer(random.standard_normal((10, 40)), random.standard_normal((40, 3)))

    weight, _ = repair.refit(layer, np.arange(40))

    assert np.abs(weight - layer.weight).max() < 1e-6


def test_a_layer_without_bias_is_refitted_without_one(random: np.random.Generator) -> None:
    layer = a_layer(random.standard_normal((500, 4)) + 1, random.standard_normal((4, 2)), bias=False)

    _, bias = repair.refit(layer, np.arange(3))

    assert bias is None
