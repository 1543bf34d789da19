"""Structured pruning without labels, on real graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from optimize import channels
from optimize.fixtures import Fixture
from optimize.graph import Graph
from optimize.inspect import read_needs
from optimize.prune import prune
from optimize.samples import read_samples
from optimize.sessions import open_session
from tests.optimize.builders import a_model, scores_of


def weights(*shape: int) -> Any:
    values = np.random.default_rng(sum(shape)).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return values.astype(np.float32)


def residual_net() -> bytes:
    """Return a net with all couplings: an addition, a depthwise convolution, squeeze-and-excite, batch norm."""
    nodes = [
        helper.make_node("Conv", ["x", "stem"], ["s0"], "stem", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["s0", "g", "b", "m", "v"], ["s1"], "norm"),
        helper.make_node("HardSwish", ["s1"], ["s"], "act"),
        helper.make_node("Conv", ["s", "grow"], ["e0"], "grow"),
        helper.make_node("Relu", ["e0"], ["e1"], "relu"),
        helper.make_node("Conv", ["e1", "deep"], ["d"], "deep", group=16, pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["d"], ["q0"], "squeeze"),
        helper.make_node("Conv", ["q0", "se1"], ["q1"], "se1"),
        helper.make_node("Relu", ["q1"], ["q2"], "relu2"),
        helper.make_node("Conv", ["q2", "se2"], ["q3"], "se2"),
        helper.make_node("HardSigmoid", ["q3"], ["q4"], "gate"),
        helper.make_node("Mul", ["d", "q4"], ["f"], "excite"),
        helper.make_node("Conv", ["f", "shrink"], ["p"], "shrink"),
        helper.make_node("Add", ["p", "s"], ["r"], "add"),
        helper.make_node("GlobalAveragePool", ["r"], ["a"], "average"),
        helper.make_node("Flatten", ["a"], ["l"], "flatten"),
        helper.make_node("MatMul", ["l", "head"], ["y"], "head"),
    ]
    stem = weights(8, 3, 3, 3)
    arrays = {
        "stem": stem, "g": np.ones(8, np.float32), "b": weights(8), "m": weights(8), "v": np.ones(8, np.float32),
        "grow": weights(16, 8, 1, 1), "deep": weights(16, 1, 3, 3), "se1": weights(4, 16, 1, 1),
        "se2": weights(16, 4, 1, 1), "shrink": weights(8, 16, 1, 1), "head": weights(8, 5),
    }  # fmt: skip
    return a_model(nodes, arrays, takes=("batch", 3, 8, 8), gives=("batch", 5), opset=17)


def test_finds_every_coupling_once() -> None:
    graph = Graph(residual_net())

    spaces = channels.find_spaces(graph)

    found = [
        (sorted(node.name for node in space.makers), sorted(reader.node.name for reader in space.readers))
        for space in spaces
    ]
    assert found == [
        (["shrink", "stem"], ["grow", "head"]),
        (["grow", "se2"], ["se1", "shrink"]),
        (["se1"], ["se2"]),
    ]
    assert [node.name for node in spaces[1].depthwise] == ["deep"]


def test_cuts_all_that_hangs_together_and_still_runs() -> None:
    x = np.random.default_rng(1).standard_normal((200, 3, 8, 8)).astype(np.float32)

    pruned = prune(residual_net(), x, run=open_session, share=0.5)

    onnx.checker.check_model(onnx.load_model_from_string(pruned.model), full_check=True)
    assert {(before, after) for _, before, after in pruned.kept} == {(8, 4), (16, 8), (4, 2)}
    assert scores_of(pruned.model, x[:4]).shape == (4, 5)


def test_what_nothing_reads_alone_is_left_alone() -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["h"], "first"),
        helper.make_node("Softmax", ["h"], ["s"], "softmax"),
        helper.make_node("Gemm", ["s", "v"], ["y"], "second"),
    ]
    model = a_model(nodes, {"w": weights(4, 8), "v": weights(8, 3)}, gives=("batch", 3))

    assert channels.find_spaces(Graph(model)) == []
    with pytest.raises(ValueError, match="no layers whose channels could be dropped"):
        prune(model, np.zeros((64, 4), np.float32), run=open_session, share=0.5)


def test_repair_keeps_the_answers_where_dropping_alone_loses_them(tiny: Fixture) -> None:
    """Half of the tiny net's channels are nearly copies; repaired, it hardly misses them."""
    judged = read_samples(tiny.evaluation)
    x = read_samples(tiny.calibration).x

    pruned = prune(tiny.model, x, run=open_session, error=0.03)
    dropped = _dropped_alone(tiny.model, {name: after for name, _, after in pruned.kept})

    kept_share = (scores_of(pruned.model, judged.x).argmax(1) == judged.y).mean()
    dropped_share = (scores_of(dropped, judged.x).argmax(1) == judged.y).mean()
    assert len(pruned.model) < 0.8 * len(tiny.model)
    assert kept_share > 0.9
    assert kept_share > dropped_share + 0.1


def test_a_layer_without_a_bias_gets_the_one_that_repairs_it(tiny: Fixture) -> None:
    """What the dropped channels gave on average has to come from somewhere."""
    pruned = prune(tiny.model, read_samples(tiny.calibration).x, run=open_session, share=0.5)

    graph = Graph(pruned.model)
    assert [len(node.input) for node in graph.nodes if node.op_type == "Gemm"] == [3, 3]


def test_a_larger_error_never_keeps_more(tiny: Fixture) -> None:
    x = read_samples(tiny.calibration).x

    sizes = [len(prune(tiny.model, x, run=open_session, error=error).model) for error in (0.001, 0.03, 0.3)]

    assert sizes == sorted(sizes, reverse=True)


def test_the_same_inputs_give_the_same_bytes_and_no_new_operators(tiny: Fixture) -> None:
    x = read_samples(tiny.calibration).x

    first, second = (prune(tiny.model, x, run=open_session, error=0.05).model for _ in range(2))

    assert first == second
    assert read_needs(first).ops == read_needs(tiny.model).ops


def test_a_model_with_a_fixed_batch_of_one_is_pruned_too() -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["h"], "first"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("Gemm", ["r", "v"], ["y"], "second"),
    ]
    model = a_model(nodes, {"w": weights(4, 16), "v": weights(16, 3)}, takes=(1, 4), gives=(1, 3))
    x = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)

    assert prune(model, x, run=open_session, share=0.5).kept == (("first", 16, 8),)


def _dropped_alone(content: bytes, left: dict[str, int]) -> bytes:
    """Drop the channels with the smallest weights, without repair."""
    graph = Graph(content)
    for space in channels.find_spaces(graph):
        maker = space.makers[0]
        norms = np.abs(graph.arrays[maker.input[1]].reshape(space.channels, -1)).sum(axis=1)
        kept = np.sort(np.argsort(norms)[space.channels - left[maker.name] :])
        for reader in space.readers:
            columns = (kept[:, None] * reader.width + np.arange(reader.width)).ravel()
            graph.arrays[reader.node.input[1]] = np.take(graph.arrays[reader.node.input[1]], columns, axis=1)
        channels.keep(graph, space, kept)
        graph.index()
    return graph.bytes()
