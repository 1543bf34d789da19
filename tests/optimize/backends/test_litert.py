""".tflite in, .tflite out, by ai-edge-quantizer; judged by LiteRT."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInputError
from optimize import job
from optimize.backends.litert import LiteRt
from optimize.budgets import parse_budget
from optimize.extras import lacks
from optimize.fixtures import Fixture, npz
from optimize.inspect import read_needs
from optimize.order import Order, plan
from optimize.recipes import parse_recipe
from optimize.shelf import Shelf
from tests.optimize.backends.tflites import a_tflite

WITH_LITERT = pytest.mark.skipif(lacks("ai_edge_quantizer"), reason=str(LiteRt().probe()))


@pytest.fixture(scope="module")
def perceptron() -> Fixture:
    """A .tflite file of two layers and samples that it labels itself."""
    random = np.random.default_rng(0)
    first, last = random.standard_normal((96, 32)) / 6, random.standard_normal((5, 96)) / 10
    x = random.standard_normal((500, 32)).astype(np.float32)
    y = (np.maximum(x @ first.T, 0) @ last.T).argmax(axis=1)
    return Fixture(
        name="perceptron",
        model=a_tflite(first.astype(np.float32), last.astype(np.float32)),
        evaluation=npz(x=x[:300], y=y[:300]),
        calibration=npz(x=x[300:]),
    )


def an_order(made: Fixture, recipe: str) -> Order:
    return Order(
        model=made.model,
        recipe=parse_recipe(recipe),
        budget=parse_budget("accuracy>-3pt size<-40%"),
        evaluation=made.evaluation,
        calibration=made.calibration,
        name="model.tflite",
    )


def test_what_the_file_needs_is_read_without_the_extra(perceptron: Fixture) -> None:
    needs = read_needs(perceptron.model)

    assert needs.runtime == "tflite"
    assert needs.ops == {"FULLY_CONNECTED": 2}
    assert [port.shape for port in (*needs.inputs, *needs.outputs)] == [(1, 32), (1, 5)]
    assert needs.parameters == 96 * 32 + 96 + 5 * 96 + 5


@pytest.mark.skipif(not lacks("ai_edge_quantizer"), reason="the extra is installed")
def test_without_the_extra_the_plan_says_what_to_install(perceptron: Fixture) -> None:
    with pytest.raises(InvalidInputError, match=r"ai_edge_quantizer not installed; run: pip install .*litert"):
        plan(an_order(perceptron, "int8-weights"))


def test_steps_for_other_formats_are_refused_by_name(perceptron: Fixture) -> None:
    with pytest.raises(InvalidInputError, match="prune does not apply: it takes onnx, and this is tflite"):
        plan(an_order(perceptron, "prune"))


@WITH_LITERT
@pytest.mark.parametrize(
    ("recipe", "times"),
    [("int8-dynamic", 2.3), ("int8-weights", 2.3), ("int8-static", 2.0), ("fp16", 1.5), ("int4-weights", 3.0)],
)
def test_each_step_ends_in_a_smaller_tflite_file_and_a_card(
    recipe: str, times: float, perceptron: Fixture, tmp_path: Path
) -> None:
    shelf = Shelf(tmp_path)

    result = job.run(plan(an_order(perceptron, recipe)), shelf)

    assert result.card is not None, result.sentence
    assert result.variant is not None
    assert result.card.size_x > times
    assert read_needs(shelf.get(result.variant)).runtime == "tflite"
    assert result.card.evidence.device is not None
    assert result.card.evidence.device.difference is not None
    assert result.card.evidence.device.difference > (-0.15 if "int4" in recipe else -0.03)
    assert result.card.evidence.ratio is not None


@WITH_LITERT
def test_the_same_order_gives_the_same_bytes(perceptron: Fixture, tmp_path_factory: pytest.TempPathFactory) -> None:
    planned = plan(an_order(perceptron, "int8-static"))

    variants = [job.run(planned, Shelf(tmp_path_factory.mktemp("shelf"))).variant for _ in range(2)]

    assert variants[0] == variants[1] is not None


@WITH_LITERT
def test_a_file_without_a_signature_is_told_what_calibration_needs(perceptron: Fixture, tmp_path: Path) -> None:
    bare = a_tflite(np.ones((96, 32), np.float32), np.ones((5, 96), np.float32), has_signature=False)

    result = job.run(plan(replace(an_order(perceptron, "int8-static"), model=bare)), Shelf(tmp_path))

    assert result.sentence == "int8-static has no signature, which calibration needs; converters of today write one"


@WITH_LITERT
def test_what_is_quantized_already_is_not_quantized_again(perceptron: Fixture, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    result = job.run(plan(an_order(perceptron, "int8-dynamic")), shelf)
    assert result.variant is not None

    advice = LiteRt().applicable(parse_recipe("int8-static").steps[0], read_needs(shelf.get(result.variant)))

    assert not advice.applies
    assert "quantized already" in advice.reason


@WITH_LITERT
def test_auto_searches_among_the_steps_for_tflite(perceptron: Fixture, tmp_path: Path) -> None:
    result = job.run(plan(an_order(perceptron, "auto")), Shelf(tmp_path))

    assert {each.recipe for each in result.tried} <= {"int8-static", "int8-dynamic", "int8-weights", "int4-weights"}
    assert result.card is not None, result.sentence
    assert result.card.size_x > 2
