""".mlpackage in, .mlpackage out, by coremltools; no machine here can run one, and the card says so."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from core.errors import InvalidInputError
from optimize import job, mlpackage
from optimize.backends import coreml
from optimize.backends.coreml import NOT_VERIFIED, CoreMl
from optimize.budgets import parse_budget
from optimize.extras import lacks
from optimize.inspect import read_needs
from optimize.order import Order, plan
from optimize.recipes import parse_recipe
from optimize.shelf import Shelf

PACKAGE = Path(__file__).parent / "perceptron.mlpackage.zip"
WITH_COREML = pytest.mark.skipif(lacks("coremltools"), reason=str(CoreMl().probe()))


def an_order(recipe: str) -> Order:
    budget = parse_budget("size<-20%")
    return Order(model=PACKAGE.read_bytes(), recipe=parse_recipe(recipe), budget=budget, name="model.mlpackage")


def test_what_the_package_needs_is_read_without_the_extra() -> None:
    needs = read_needs(PACKAGE.read_bytes())

    assert needs.runtime == "mlpackage"
    assert needs.ops["linear"] == 2
    assert [(port.name, port.dtype, port.shape) for port in needs.inputs] == [("input", "float32", (1, 128))]
    assert needs.weight_bytes > 128 * 128 * 4


@pytest.mark.skipif(not lacks("coremltools"), reason="the extra is installed")
def test_without_the_extra_the_plan_says_what_to_install() -> None:
    with pytest.raises(InvalidInputError, match=r"coremltools not installed; run: pip install .*coreml"):
        plan(an_order("palettize4"))


@WITH_COREML
@pytest.mark.parametrize(
    ("recipe", "times"),
    [("int8-weights", 2.5), ("palettize6", 3.0), ("palettize4", 4.0), ("sparse50", 1.5), ("sparse75", 2.5)],
)
def test_each_step_shrinks_the_package_and_claims_nothing_about_its_answers(
    recipe: str, times: float, tmp_path: Path
) -> None:
    shelf = Shelf(tmp_path)

    result = job.run(plan(an_order(recipe)), shelf)

    assert result.card is not None, result.sentence
    assert result.variant is not None
    assert result.card.size_x > times
    assert result.card.passed
    assert not result.card.may_be_released
    assert result.card.evidence.device is None
    assert result.card.after.latency is None
    assert result.card.origin is not None
    assert NOT_VERIFIED in result.card.origin.notes
    assert any(op.startswith("constexpr_") for op in read_needs(shelf.get(result.variant)).ops)


@WITH_COREML
@pytest.mark.parametrize("recipe", ["int8-weights", "palettize4"])
def test_the_same_order_gives_the_same_bytes(recipe: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    variants = [job.run(plan(an_order(recipe)), Shelf(tmp_path_factory.mktemp("shelf"))).variant for _ in range(2)]

    assert variants[0] == variants[1] is not None


@WITH_COREML
def test_what_is_compressed_already_is_not_compressed_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    result = job.run(plan(an_order("int8-weights")), shelf)
    assert result.variant is not None

    advice = CoreMl().applicable(parse_recipe("palettize4").steps[0], read_needs(shelf.get(result.variant)))

    assert not advice.applies
    assert "compressed already" in advice.reason


def test_a_package_packed_twice_has_the_same_bytes() -> None:
    files = mlpackage.unpacked(PACKAGE.read_bytes())

    assert mlpackage.packed(files) == mlpackage.packed(dict(reversed(files.items())))


def test_what_a_step_does_not_need_is_hidden_from_coremltools_while_it_is_imported() -> None:
    """Beside torch and executorch its import took ten CPU seconds, in every child anew."""
    sys.modules.pop("colorsys", None)

    with coreml._hidden(("colorsys", "json")):
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        assert importlib.import_module("json") is json

    assert importlib.import_module("colorsys").__name__ == "colorsys"
