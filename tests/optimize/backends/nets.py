"""A training script as a team registers it, the model exported from its net, and files of the other formats."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from optimize.fixtures import Fixture, npz
from tests.optimize.builders import a_model, scores_of

SCRIPT = b"""
from torch import nn

def net():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(144, 48), nn.ReLU(), nn.Linear(48, 5),
    )

def student():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
"""


def scripted_fixture() -> Fixture:
    """Return the model that SCRIPT's net() exports to, with its batch norm folded, and samples it labels itself."""
    random = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c"], "conv0", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu0"),
        helper.make_node("Conv", ["r", "w1", "b1"], ["d"], "conv1", pads=[1, 1, 1, 1], group=16),
        helper.make_node("Relu", ["d"], ["s"], "relu1"),
        helper.make_node("MaxPool", ["s"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["h"], "first", transB=1),
        helper.make_node("Relu", ["h"], ["a"], "relu2"),
        helper.make_node("MatMul", ["a", "w3"], ["m"], "last"),
        helper.make_node("Add", ["m", "b3"], ["y"], "add"),
    ]
    weights = {
        "w0": drawn(16, 1, 3, 3), "b0": drawn(16), "w1": drawn(16, 1, 3, 3), "b1": drawn(16),
        "w2": drawn(48, 144), "b2": drawn(48), "w3": drawn(5, 48).T.copy(), "b3": drawn(5),
    }  # fmt: skip
    model = a_model(nodes, weights, takes=("batch", 1, 6, 6), gives=("batch", 5))
    x = random.standard_normal((700, 1, 6, 6)).astype(np.float32)
    y = scores_of(model, x[:300]).argmax(axis=1)
    return Fixture(name="scripted", model=model, evaluation=npz(x=x[:300], y=y), calibration=npz(x=x[300:]))
