"""Builders of models: valid ones, and hostile ones by name with what they are refused by."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.errors import InvalidInputError
from optimize.evaluate import Comparison, compare
from optimize.fixtures import Fixture, npz

Shape = Sequence[int | str]


def assert_refused(read: Callable[[], object], sentence: str) -> None:
    """Hold that what is read is refused by one short sentence with these words."""
    with pytest.raises(InvalidInputError) as caught:
        read()
    (problem,) = caught.value.problems
    assert sentence in problem.message
    assert "\n" not in problem.message
    assert len(problem.message) < 250


def a_model(
    nodes: Sequence[Any],
    weights: dict[str, Any],
    *,
    takes: Shape = ("batch", 4),
    gives: Shape | None = None,
    opset: int = 17,
    dtype: int = TensorProto.FLOAT,
) -> bytes:
    """Return the bytes of a model from `x` to `y`, unchecked."""
    graph = helper.make_graph(
        list(nodes),
        "model",
        [helper.make_tensor_value_info("x", dtype, takes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, gives)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])
    return bytes(model.SerializeToString(deterministic=True))


def a_gemm(weight: Any = None) -> bytes:
    weight = np.eye(4, dtype=np.float32) if weight is None else weight
    return a_model([helper.make_node("Gemm", ["x", "w"], ["y"], "gemm")], {"w": weight}, gives=("batch", 4))


def tiny_fixture() -> Fixture:
    """Return a net with redundant channels and samples that it labels itself, right by definition."""
    random = np.random.default_rng(0)
    base = random.standard_normal((6, 1, 3, 3)).astype(np.float32)
    conv = np.concatenate([base, base * 0.5 + 0.02 * random.standard_normal((6, 1, 3, 3)).astype(np.float32)])
    first = (random.standard_normal((16, 12 * 9)) / 10).astype(np.float32)
    last = (random.standard_normal((5, 16)) / 2).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "conv"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("MaxPool", ["r"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "first"], ["h"], "first", transB=1),
        helper.make_node("Relu", ["h"], ["a"], "relu2"),
        helper.make_node("Gemm", ["a", "last"], ["y"], "last", transB=1),
    ]
    weights = {"conv": conv, "first": first, "last": last}
    model = a_model(nodes, weights, takes=("batch", 1, 6, 6), gives=("batch", 5))
    x = random.standard_normal((600, 1, 6, 6)).astype(np.float32)
    y = scores_of(model, x[:400]).argmax(axis=1)
    return Fixture(name="tiny", model=model, evaluation=npz(x=x[:400], y=y), calibration=npz(x=x[400:]))


def scores_of(model: bytes, x: Any) -> Any:
    from optimize.sessions import open_session

    session = open_session(model)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def a_comparison(*, n: int = 540, broke: int = 0, mended: int = 0, wrong: int = 5) -> Comparison:
    """Return the comparison of two yes/no models of which `broke` and `mended` answers differ."""
    y = np.zeros(n, np.int64)
    before, after = np.full((n, 2), [1.0, 0.0]), np.full((n, 2), [1.0, 0.0])
    before[:wrong], after[:wrong] = [0.0, 1.0], [0.0, 1.0]
    after[:mended] = [1.0, 0.0]
    after[n - broke :] = [0.0, 1.0]
    return compare(before, after, y)


def a_bomb_of_zeros() -> bytes:
    """Ask for 40 GB by a constant shape, in 131 bytes or so."""
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["z"]), helper.make_node("ReduceSum", ["z"], ["y"], keepdims=0)]
    return a_model(nodes, {"s": np.array([100_000, 100_000], np.int64)}, gives=())


def a_hidden_bomb() -> bytes:
    """Ask for 40 GB by a shape that only running reveals."""
    nodes = [
        helper.make_node("Mul", ["a", "a"], ["s"]),
        helper.make_node("ConstantOfShape", ["s"], ["z"]),
        helper.make_node("ReduceSum", ["z"], ["t"], keepdims=0),
        helper.make_node("Add", ["x", "t"], ["y"]),
    ]
    return a_model(nodes, {"a": np.array([100_000], np.int64)}, gives=("batch", 4))


def an_endless_loop() -> bytes:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["v", "v"], ["w"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", 9, []),
         helper.make_tensor_value_info("v", 1, ["n", 4])],
        [helper.make_tensor_value_info("on", 9, []), helper.make_tensor_value_info("w", 1, ["n", 4])],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["", "yes", "x"], ["y"], body=inner)
    return a_model([loop], {"yes": np.array(True)}, gives=("batch", 4))


def a_nest(depth: int) -> bytes:
    inner = helper.make_graph([helper.make_node("Identity", ["x"], ["o"])], "leaf", [], [])
    for _ in range(depth):
        node = helper.make_node("If", ["x"], ["o"], then_branch=inner)
        inner = helper.make_graph([node], "level", [], [])
    return a_model([helper.make_node("If", ["x"], ["y"], then_branch=inner)], {})


def with_external_data() -> bytes:
    tensor = TensorProto(name="w", dims=[4, 4], data_type=1, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"])],
        "model",
        [helper.make_tensor_value_info("x", 1, ["batch", 4])],
        [helper.make_tensor_value_info("y", 1, ["batch", 4])],
        [tensor],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    return bytes(model.SerializeToString())


def with_claimed_size(dims: Sequence[int], brought: bytes = b"") -> bytes:
    tensor = TensorProto(name="w", dims=dims, data_type=1, raw_data=brought)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"])],
        "model",
        [helper.make_tensor_value_info("x", 1, ["batch", 4])],
        [helper.make_tensor_value_info("y", 1, ["batch", 4])],
        [tensor],
    )
    return bytes(helper.make_model(graph, ir_version=8).SerializeToString())


def with_functions() -> bytes:
    function = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    graph = helper.make_graph(
        [helper.make_node("Twice", ["x"], ["y"], domain="own")],
        "model",
        [helper.make_tensor_value_info("x", 1, [4])],
        [helper.make_tensor_value_info("y", 1, [4])],
    )
    return bytes(helper.make_model(graph, functions=[function], ir_version=8).SerializeToString())


def a_pickle() -> bytes:
    return pickle.dumps({"weights": [1.0]}, protocol=4)


def a_zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


def an_npz_with_objects() -> bytes:
    file = io.BytesIO()
    np.savez(file, x=np.array([{"a": 1}] * 10, dtype=object))
    return file.getvalue()
