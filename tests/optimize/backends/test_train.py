"""What the training script makes possible, each carried out for real in the limited child by torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInputError
from optimize import job
from optimize.backends.train import Train
from optimize.budgets import parse_budget
from optimize.extras import lacks
from optimize.fixtures import Fixture
from optimize.inspect import read_needs
from optimize.job import Result
from optimize.needs import format_of
from optimize.order import Order, plan
from optimize.recipes import parse_recipe
from optimize.shelf import Shelf
from tests.optimize.backends.nets import SCRIPT, scripted_fixture

WITH_TORCH = pytest.mark.skipif(lacks("torch"), reason=str(Train().probe()))
CONVERTERS = {"to-tflite": "litert_torch", "to-mlpackage": "coremltools", "to-pte": "executorch"}


@pytest.fixture(scope="module")
def scripted() -> Fixture:
    return scripted_fixture()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def an_order(made: Fixture, recipe: str, script: bytes | None = SCRIPT) -> Order:
    return Order(
        model=made.model,
        recipe=parse_recipe(recipe),
        budget=parse_budget("size<1MB"),
        evaluation=made.evaluation,
        calibration=made.calibration,
        train_script=script,
    )


def outcome(made: Fixture, recipe: str, shelf: Shelf, script: bytes = SCRIPT) -> Result:
    return job.run(plan(an_order(made, recipe, script)), shelf)


def noise(result: Result) -> float:
    """Return the decibels by which the scores exceed their error."""
    assert result.card is not None
    assert result.card.evidence.device is not None
    return result.card.evidence.device.sqnr_db or 0.0


def difference(result: Result) -> float:
    assert result.card is not None, result.sentence
    assert result.card.evidence.device is not None
    assert result.card.evidence.device.difference is not None
    return result.card.evidence.device.difference


@pytest.mark.skipif(not lacks("torch"), reason="torch is installed")
def test_without_torch_the_plan_says_what_to_install(scripted: Fixture) -> None:
    with pytest.raises(InvalidInputError, match=r"torch not installed; install its CPU build first"):
        plan(an_order(scripted, "qat"))


def test_without_a_training_script_the_plan_says_so(scripted: Fixture) -> None:
    with pytest.raises(InvalidInputError, match="qat needs the model's training script"):
        plan(an_order(scripted, "qat", None))


def test_a_script_that_is_really_data_is_refused(scripted: Fixture) -> None:
    with pytest.raises(InvalidInputError, match="is larger than 1,000,000 bytes"):
        plan(an_order(scripted, "qat", b"#" * 1_000_001))


@WITH_TORCH
@pytest.mark.parametrize(
    ("plain", "trained"), [("prune70", "prune70,finetune"), ("prune70,int8-static", "prune70,qat")]
)
def test_training_on_mends_what_pruning_and_rounding_broke(
    plain: str, trained: str, scripted: Fixture, shelf: Shelf
) -> None:
    before, after = outcome(scripted, plain, shelf), outcome(scripted, trained, shelf)

    assert after.card is not None, after.sentence
    assert before.card is not None
    assert after.card.after.size_bytes == pytest.approx(before.card.after.size_bytes, rel=0.05)
    assert difference(after) >= difference(before)
    assert noise(after) > noise(before) + 1


@WITH_TORCH
def test_the_registered_student_learns_without_labels(scripted: Fixture, shelf: Shelf) -> None:
    result = outcome(scripted, "student", shelf)

    assert result.card is not None, result.sentence
    assert result.card.size_x > 5
    assert result.card.evidence.device is not None
    assert result.card.evidence.device.accuracy_after is not None
    assert result.card.evidence.device.accuracy_after > 0.5  # chance is 0.2 to 0.3


@WITH_TORCH
@pytest.mark.parametrize("recipe", ["qat", "finetune", "student"])
def test_the_same_order_gives_the_same_bytes(
    recipe: str, scripted: Fixture, tmp_path_factory: pytest.TempPathFactory
) -> None:
    variants = [outcome(scripted, recipe, Shelf(tmp_path_factory.mktemp("shelf"))).variant for _ in range(2)]

    assert variants[0] == variants[1] is not None


@pytest.mark.parametrize("recipe", list(CONVERTERS))
def test_a_conversion_gives_the_same_answers_where_it_can_run_here(
    recipe: str, scripted: Fixture, shelf: Shelf
) -> None:
    if lacks("torch") or lacks(CONVERTERS[recipe]):
        pytest.skip(f"{CONVERTERS[recipe]} not installed")

    result = outcome(scripted, recipe, shelf)

    assert result.variant is not None, result.sentence
    assert result.card is not None
    assert format_of(shelf.get(result.variant)) == recipe.removeprefix("to-")
    found = result.card.evidence.device
    if recipe == "to-mlpackage":
        assert found is None
        assert not result.card.may_be_released
        assert any("not verified here" in note for note in result.card.origin.notes)  # type: ignore[union-attr]
        assert read_needs(shelf.get(result.variant)).ops["conv"] == 2
        return
    assert found is not None
    assert found.flips == 0
    assert result.card.evidence.ratio is not None


@WITH_TORCH
@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        pytest.param(b"x = 1", "defines no net()", id="no net"),
        pytest.param(b"def net(:", "the training script fails: SyntaxError", id="no Python"),
        pytest.param(b"def net():\n    return 1", "returns no torch.nn.Module", id="no module"),
        pytest.param(b"def net():\n    return {}['a']", "the training script fails: KeyError", id="fails inside"),
        pytest.param(
            SCRIPT.replace(b"nn.Linear(48, 5)", b"nn.Identity()"), "runs 3 layers with", id="a layer less"
        ),
        pytest.param(
            SCRIPT.replace(b"ReLU(), nn.Linear(48", b"Tanh(), nn.Linear(48"), "gives other scores", id="another net"
        ),
        pytest.param(SCRIPT + b"import os\nos._exit(3)", "ended without a result", id="ends the child"),
        pytest.param(
            SCRIPT + b"import socket\nsocket.create_connection(('127.0.0.1', 9), 1)",
            "the training script fails: OSError: [Errno 101]", id="calls out",
        ),
        pytest.param(
            SCRIPT + b"import os\nopen(f'/proc/{os.getppid()}/environ').read()",
            "the training script fails: PermissionError", id="reads the worker's environment",
        ),
        pytest.param(
            SCRIPT + b"from pathlib import Path\nlist(Path('/root').iterdir())",
            "the training script fails: PermissionError", id="looks around",
        ),
        pytest.param(SCRIPT + b"while True: pass", "used more than the 20 s of CPU time", id="for ever"),
    ],
)  # fmt: skip
def test_a_script_that_does_not_do_ends_in_a_sentence(
    script: bytes, sentence: str, scripted: Fixture, shelf: Shelf
) -> None:
    from dataclasses import replace

    from optimize.runner import Limits

    order = replace(an_order(scripted, "finetune", script), limits=Limits(cpu_s=20))

    result = job.run(plan(order), shelf)

    assert result.card is None
    assert sentence in result.sentence


@WITH_TORCH
def test_weights_round_trip_through_the_net(scripted: Fixture) -> None:
    from optimize import nets
    from optimize.samples import read_samples
    from optimize.sessions import open_session

    x = read_samples(scripted.calibration).x
    _, graph, pairs = nets.restored(SCRIPT, scripted.model, x, run=open_session)

    again = nets.written(graph, pairs)

    before, after = (nets.scores(open_session(model), x) for model in (scripted.model, again))
    assert np.array_equal(before, after)
