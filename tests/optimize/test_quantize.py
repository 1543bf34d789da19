"""Smaller numbers; each trap of the tools is a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from optimize import graph as graphs
from optimize import quantize
from optimize.backends.onnxruntime import OnnxRuntime
from optimize.fixtures import Fixture
from optimize.inspect import read_needs
from optimize.recipes import parse_recipe
from optimize.samples import read_samples
from optimize.sessions import open_session
from tests.optimize.builders import a_model, scores_of


def wide_mlp() -> bytes:
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], "first", transB=1),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("Gemm", ["r", "v"], ["y"], "second", transB=1),
    ]
    arrays = {
        "w": random.standard_normal((64, 32)).astype(np.float32),
        "b": random.standard_normal(64).astype(np.float32),
        "v": random.standard_normal((32, 64)).astype(np.float32),
    }
    return a_model(nodes, arrays, takes=("batch", 32), gives=("batch", 32))


def noise(before: bytes, after: bytes, x: np.ndarray) -> float:
    """Return the relative squared error of the outputs."""
    was, now = scores_of(before, x), scores_of(after, x)
    return float(((was - now) ** 2).mean() / was.var())


X = np.random.default_rng(1).standard_normal((128, 32)).astype(np.float32)


def test_dynamic_int8_survives_value_info_left_by_an_exporter(tmp_path: Path) -> None:
    """quantize_dynamic replaces a Gemm and crashes on the shapes that torch's exporter noted for its inside."""
    model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(wide_mlp()))
    model.graph.value_info.append(helper.make_tensor_value_info("r", TensorProto.FLOAT, ["other", 7]))

    small = quantize.dynamic(model.SerializeToString(), tmp_path)

    assert len(small) < len(wide_mlp()) / 2.5
    assert noise(wide_mlp(), small, X) < 0.01
    assert list(tmp_path.iterdir()) == []


def test_static_int8_is_close_to_the_original_also_as_phones_compute(tmp_path: Path) -> None:
    small = quantize.static(wide_mlp(), X, tmp_path, run=open_session)

    device = open_session(small, device_like=True).run(None, {"x": X})[0]
    assert noise(wide_mlp(), small, X) < 0.01
    assert ((device - scores_of(wide_mlp(), X)) ** 2).mean() / device.var() < 0.01
    assert "QuantizeLinear" in read_needs(small).ops


def test_the_most_sensitive_layer_can_stay_in_floating_point(tmp_path: Path) -> None:
    all_small = quantize.static(wide_mlp(), X, tmp_path, run=open_session)
    one_left = quantize.static(wide_mlp(), X, tmp_path, run=open_session, skip=1)

    assert len(all_small) < len(one_left) < len(wide_mlp())


@pytest.mark.parametrize(("bits", "times"), [(8, 3.0), (4, 4.5)])
def test_weights_alone_shrink_and_carry_the_hint_for_the_app(bits: int, times: float) -> None:
    small = quantize.weights(wide_mlp(), bits=bits)

    needs = read_needs(small)
    assert len(wide_mlp()) / len(small) > times
    assert needs.hints == {"session.disable_quant_qdq": "1"}
    assert noise(wide_mlp(), small, X) < (0.001 if bits == 8 else 0.05)
    assert needs.opset >= (21 if bits == 4 else 17)


def test_four_bits_never_reach_convolutions(tiny: Fixture) -> None:
    random = np.random.default_rng(0)
    conv = random.standard_normal((64, 8, 3, 3)).astype(np.float32)
    model = a_model([helper.make_node("Conv", ["x", "w"], ["y"], "conv")], {"w": conv}, takes=(1, 8, 6, 6), gives=None)
    proto = onnx.load_model_from_string(model)
    graphs.fix_batch(proto)

    assert read_needs(quantize.weights(proto.SerializeToString(), bits=4)).weight_dtypes.get("int8") == conv.size


def test_fp16_is_sorted_checked_and_keeps_inputs_and_outputs(tiny: Fixture) -> None:
    small = quantize.half(tiny.model)

    onnx.checker.check_model(onnx.load_model_from_string(small), full_check=True)
    needs = read_needs(small)
    assert {port.dtype for port in (*needs.inputs, *needs.outputs)} == {"float32"}
    assert len(small) < 0.6 * len(tiny.model)
    assert noise(tiny.model, small, read_samples(tiny.evaluation).x) < 1e-4


def test_an_unsorted_graph_is_put_in_order_and_a_cycle_is_refused(tiny: Fixture) -> None:
    model = onnx.load_model_from_string(tiny.model)
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(model)

    graphs.sort(model)

    onnx.checker.check_model(model)
    model.graph.node[0].input[0] = "y"
    with pytest.raises(ValueError, match="cycle"):
        graphs.sort(model)


def test_unstructured_zeros_do_not_shrink_a_file() -> None:
    """Only gzip sees them; that is why no recipe of ours makes them."""
    graph = graphs.Graph(wide_mlp())
    graph.arrays["w"] = np.where(np.abs(graph.arrays["w"]) < 1, 0, graph.arrays["w"])

    assert len(graph.bytes()) == pytest.approx(len(wide_mlp()), rel=0.01)


@pytest.mark.parametrize("recipe", ["int8-static", "int8-dynamic", "int8-weights", "int4-weights", "fp16"])
def test_the_same_inputs_give_the_same_bytes(recipe: str, tmp_path: Path) -> None:
    from optimize.backends import Bench

    step = parse_recipe(recipe).steps[0]
    bench = Bench(folder=tmp_path, x=X)

    first, second = (OnnxRuntime().run(step, wide_mlp(), bench).model for _ in range(2))

    assert first == second


@pytest.mark.parametrize(
    ("recipe", "applies", "reason"),
    [
        ("int8-dynamic", False, "convolutions dominate"),
        ("int8-static", True, "applies"),
        ("prune", True, "applies"),
        ("distil", True, "applies"),
    ],
)
def test_recipes_are_refused_where_they_would_harm(recipe: str, applies: bool, reason: str, tiny: Fixture) -> None:
    verdict = OnnxRuntime().applicable(parse_recipe(recipe).steps[0], read_needs(tiny.model))

    assert verdict.applies is applies
    assert reason in verdict.reason


def test_what_is_quantized_already_is_not_quantized_again(tmp_path: Path) -> None:
    small = quantize.static(wide_mlp(), X, tmp_path, run=open_session)

    verdict = OnnxRuntime().applicable(parse_recipe("int8-weights").steps[0], read_needs(small))

    assert not verdict.applies
    assert "quantized already" in verdict.reason
