"""A small student, taught by the model's own outputs."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from optimize import distil as distilling
from optimize.distil import distil
from optimize.inspect import read_needs
from optimize.sessions import open_session
from tests.optimize.builders import a_model, scores_of


def a_teacher(*, softmax: bool) -> bytes:
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["h"], "first"),
        helper.make_node("Tanh", ["h"], ["t"], "tanh"),
        helper.make_node("Gemm", ["t", "v"], ["s" if softmax else "y"], "second"),
    ]
    nodes += [helper.make_node("Softmax", ["s"], ["y"], "softmax", axis=1)] if softmax else []
    arrays = {
        "w": (random.standard_normal((8, 256)) / 8).astype(np.float32),
        "v": (random.standard_normal((256, 3)) / 8).astype(np.float32),
    }
    return a_model(nodes, arrays, takes=("batch", 8), gives=("batch", 3))


@pytest.fixture
def x(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setattr(distilling, "_EPOCHS", 25)
    return np.random.default_rng(1).standard_normal((500, 8)).astype(np.float32)


@pytest.mark.parametrize("softmax", [False, True])
def test_the_student_answers_as_its_teacher(softmax: bool, x: np.ndarray) -> None:
    teacher = a_teacher(softmax=softmax)

    student = distil(teacher, x, run=open_session, width=64)

    fresh = np.random.default_rng(2).standard_normal((500, 8)).astype(np.float32)
    same = scores_of(student, fresh).argmax(1) == scores_of(teacher, fresh).argmax(1)
    assert same.mean() > 0.9
    assert len(student) < len(teacher) / 3
    assert [port.shape for port in read_needs(student).outputs] == [("batch", 3)]
    if softmax:
        assert scores_of(student, fresh).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_the_same_inputs_give_the_same_student(x: np.ndarray) -> None:
    first, second = (distil(a_teacher(softmax=False), x, run=open_session, width=4) for _ in range(2))

    assert first == second


def test_large_inputs_are_not_for_such_a_student() -> None:
    teacher = a_model([helper.make_node("Relu", ["x"], ["y"])], {}, takes=("batch", 5000), gives=("batch", 5000))

    with pytest.raises(ValueError, match="up to 4096"):
        distil(teacher, np.zeros((20, 5000), np.float32), run=open_session, width=8)
