"""What a model file needs, read from its bytes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from core.errors import InvalidInputError
from optimize import inspect
from optimize.fixtures import Fixture
from optimize.inspect import Port, read_needs
from tests.optimize.builders import a_gemm, a_model, tiny_fixture


def test_tells_operators_shapes_types_and_parameters(tiny: Fixture) -> None:
    needs = read_needs(tiny.model)

    assert needs.ops == {"Conv": 1, "Flatten": 1, "Gemm": 2, "MaxPool": 1, "Relu": 2}
    assert needs.inputs == (Port(name="x", dtype="float32", shape=("batch", 1, 6, 6)),)
    assert needs.outputs == (Port(name="y", dtype="float32", shape=("batch", 5)),)
    assert (needs.opset, needs.ir_version, needs.layout) == (17, 8, "NCHW")
    assert needs.parameters == 12 * 9 + 16 * 12 * 9 + 5 * 16
    assert needs.weight_bytes == needs.parameters * 4


def test_agrees_with_onnx_about_every_weight(tiny: Fixture) -> None:
    model = onnx.load_model_from_string(tiny.model)

    assert read_needs(tiny.model).parameters == sum(onnx.numpy_helper.to_array(w).size for w in model.graph.initializer)


def test_reads_weights_in_typed_fields_too() -> None:
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"])],
        "model",
        [helper.make_tensor_value_info("x", 1, ["batch", 2])],
        [helper.make_tensor_value_info("y", 1, ["batch", 2])],
        [helper.make_tensor("w", 1, [2, 2], [1.0, 0.0, 0.0, float("nan")])],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])

    with pytest.raises(InvalidInputError, match=r"NaN"):
        read_needs(model.SerializeToString())


def test_labels_and_session_hints_come_from_the_file() -> None:
    model = onnx.load_model_from_string(a_gemm())
    model.metadata_props.add(key="labels", value="yes, no")
    model.metadata_props.add(key="muster.session.disable_quant_qdq", value="1")

    needs = read_needs(model.SerializeToString())

    assert needs.labels == ("yes", "no")
    assert needs.hints == {"session.disable_quant_qdq": "1"}


def test_infinite_weights_are_taken_because_masks_use_them() -> None:
    weight = np.eye(4, dtype=np.float32)
    weight[0, 0] = -np.inf

    assert read_needs(a_gemm(weight)).parameters == 16


def test_operators_of_other_domains_keep_their_domain() -> None:
    node = helper.make_node("FusedGemm", ["x", "w"], ["y"], domain="com.microsoft")

    assert read_needs(a_model([node], {"w": np.eye(4, dtype=np.float32)})).ops == {"com.microsoft:FusedGemm": 1}


_TINY = tiny_fixture().model


@given(st.integers(0, len(_TINY) - 1), st.integers(0, 255), st.integers(0, len(_TINY)))
def test_whatever_happens_to_a_file_it_is_read_or_refused(place: int, byte: int, length: int) -> None:
    damaged = bytearray(_TINY)
    damaged[place] = byte

    for content in (bytes(damaged), bytes(damaged[:length])):
        try:
            assert inspect.read_needs(content).ops
        except InvalidInputError:
            continue
