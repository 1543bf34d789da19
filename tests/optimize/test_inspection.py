"""What is read from a registered file itself, in the limited child and without onnx."""

from __future__ import annotations

import numpy as np
import pytest

from optimize import runner
from optimize.fixtures import Fixture, npz
from optimize.runner import Finished, Limits
from tests.optimize.builders import a_bomb_of_zeros, a_pickle, an_npz_with_objects

pytestmark = pytest.mark.usefixtures("nothing_left")


def inspected(**files: bytes) -> dict[str, dict[str, object]]:
    # 600 MB of address space: onnx and ONNX Runtime would not fit in beside NumPy.
    outcome = runner.run("inspect", files, limits=Limits(memory_bytes=600_000_000, cpu_s=20))
    assert isinstance(outcome, Finished), outcome
    return dict(outcome.result)


def test_a_model_tells_its_operators_shapes_and_types(tiny: Fixture) -> None:
    facts = inspected(model=tiny.model)["model"]["facts"]

    assert isinstance(facts, dict)
    assert (facts["runtime"], facts["opset"], facts["layout"]) == ("onnx", 17, "NCHW")
    assert facts["ops"] == {"Gemm": 2, "Relu": 2, "Conv": 1, "Flatten": 1, "MaxPool": 1}
    assert facts["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["batch", 1, 6, 6]}]


def test_inputs_tell_what_preprocessing_has_to_give(tiny: Fixture) -> None:
    found = inspected(model=tiny.model, eval=tiny.evaluation, calib=tiny.calibration)

    facts, unlabelled = found["eval"]["facts"], found["calib"]["facts"]
    assert isinstance(facts, dict)
    assert isinstance(unlabelled, dict)
    assert (facts["rows"], facts["shape"], facts["dtype"]) == (400, [1, 6, 6], "float32")
    assert facts["low"] < 0 < facts["high"]
    assert sum(facts["classes"]) == 400
    assert unlabelled["classes"] is None


@pytest.mark.parametrize(
    ("role", "content", "sentence"),
    [
        ("model", a_pickle(), "is a Python pickle"),
        ("model", b"", "is empty"),
        ("model", a_bomb_of_zeros(), "elements"),
        ("eval", an_npz_with_objects(), "pickled objects"),
        ("eval", npz(x=np.zeros((9, 5))), "has rows of 5"),
        ("eval", npz(x=np.zeros((9, 1, 6, 6)), y=np.full(9, -1)), "holds the label -1"),
        ("eval", npz(x=np.zeros((9, 1, 6, 6)), y=np.full(9, 5)), "holds the label 5; the model knows 0 to 4"),
        ("train_script", b"\xff\xfe", "must be a text file"),
    ],
)
def test_what_is_refused_says_why_and_the_others_are_read(
    role: str, content: bytes, sentence: str, tiny: Fixture
) -> None:
    files = {"model": tiny.model, "eval": tiny.evaluation, role: content}

    found = inspected(**files)

    assert sentence in str(found[role]["refused"])
    assert found[role]["facts"] is None
    assert all(each["refused"] is None for name, each in found.items() if name != role)


def test_a_label_of_billions_is_no_bomb() -> None:
    found = inspected(eval=npz(x=np.zeros((9, 1, 6, 6)), y=np.full(9, 2**40)))

    facts = found["eval"]["facts"]
    assert isinstance(facts, dict)
    assert facts["classes"] is None
