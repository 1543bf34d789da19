"""Structured pruning without labels: drop the channels that the next layers can do without, and repair those layers.

Front to back, each space of channels is cut to the fewest with which every layer that reads it still gives its
*original* output within an error on held-out rows; so errors of earlier cuts are corrected further on. No new operator
types appear, delegates run what they ran before, and int8 composes. The same inputs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx

from optimize import channels, repair
from optimize.channels import Reader, Space
from optimize.graph import Graph, attribute, macs, with_outputs
from optimize.repair import Layer, Moments

Array = npt.NDArray[Any]
Session = Callable[[bytes], Any]
Outputs = dict[str, repair.Index]
MOST_COLUMNS: Final = 6000
_MOST_ROWS: Final = 12_000
_MOST_WORK: Final = 300_000_000_000  # multiply-accumulates spent on calibration
_FEWEST_ROWS: Final = 128
_BATCH: Final = 64
_MOST_PROBES: Final = 12
_PROBE_ERROR: Final = 0.03
_LARGEST_ERROR: Final = 0.5
_FURTHEST_SHARE: Final = 8.0
_FEWEST_CHANNELS: Final = 2
# Kernels of ONNX Runtime and XNNPACK work on blocks of channels; 25 of them take longer than 32.
_BLOCK: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """`kept`: (layer, channels before, channels after) of each space; `skipped`: layers too wide to repair."""

    model: bytes
    kept: tuple[tuple[str, int, int], ...]
    skipped: tuple[str, ...]


def prune(
    content: bytes,
    x: Array,
    *,
    run: Session,
    error: float | None = None,
    share: float | None = None,
    on_layer: Callable[[int, int], None] = lambda _done, _of: None,
) -> Pruned:
    """Prune by a held-out relative error of each repaired layer, or by a fixed share of the channels.

    `x`: unlabeled inputs; `run` loads a model from bytes and gives something with ONNX Runtime's `run`.
    Raises: ValueError: nothing in this model can be pruned.
    """
    graph = _with_biases(content)
    original = onnx.load_model_from_string(content)
    spaces = channels.find_spaces(graph)
    if not spaces:
        raise ValueError("has no layers whose channels could be dropped")
    kept, skipped = [], []
    left_of: Outputs = {}
    rows = max(_FEWEST_ROWS, _MOST_WORK // max(1, 2 * macs(content) * len(spaces)))
    shares = _shares(content, spaces, x[:rows], run) if error is not None else [1.0] * len(spaces)
    for place, space in enumerate(spaces):
        on_layer(place, len(spaces))
        if any(space.channels * reader.width > MOST_COLUMNS for reader in space.readers):
            skipped.append(space.makers[0].name or space.makers[0].output[0])
            continue
        layers = _measure(graph, original, space, x[:rows], run, left_of)
        left = _choose(layers, error and min(error * shares[place], _LARGEST_ERROR), share)
        _replace(graph, space, layers, left)
        left_of |= {maker.output[0]: left for maker in space.makers}
        kept.append((space.makers[0].name or space.makers[0].output[0], space.channels, len(left)))
    return Pruned(model=graph.bytes(), kept=tuple(kept), skipped=tuple(skipped))


def _shares(content: bytes, spaces: list[Space], x: Array, run: Session) -> list[float]:
    """Return by what each space's allowed error is multiplied: more where it saves much and the output feels little.

    With bytes falling like the logarithm of the error, the least total harm for the bytes saved has each space's
    error proportional to its weights and inverse to what the output feels of it. Geometric mean 1.
    """
    if not 1 < len(spaces) <= _MOST_PROBES:
        return [1.0] * len(spaces)
    probe = x[: max(_FEWEST_ROWS, len(x) // 2)]
    wanted = _first(run(content), probe)
    worth = []
    for place in range(len(spaces)):
        graph = _with_biases(content)
        space = channels.find_spaces(graph)[place]
        weights = sum(graph.arrays[cut.name].size for cut in space.cuts)
        weights += sum(graph.arrays[reader.node.input[1]].size for reader in space.readers)
        if any(space.channels * reader.width > MOST_COLUMNS for reader in space.readers):
            worth.append(1.0)
            continue
        layers = _measure(graph, onnx.load_model_from_string(content), space, probe, run, {})
        order = repair.elimination_order(layers)
        left = repair.fewest(layers, order, _PROBE_ERROR, at_least=_FEWEST_CHANNELS)
        _replace(graph, space, layers, left)
        felt = float(((_first(run(graph.bytes()), probe) - wanted) ** 2).mean() / (wanted.var() + 1e-12))
        worth.append(weights / (felt + 0.01 * _PROBE_ERROR))
    logs = np.log(worth)
    return [float(share) for share in np.clip(np.exp(logs - logs.mean()), 1 / _FURTHEST_SHARE, _FURTHEST_SHARE)]


def _first(session: Any, x: Array) -> Array:
    """Return the first output for all rows, in batches that the model takes."""
    name, batch = session.get_inputs()[0].name, session.get_inputs()[0].shape[0]
    size = batch if isinstance(batch, int) and batch > 0 else _BATCH
    parts = [session.run(None, {name: x[start : start + size]})[0] for start in range(0, len(x) - size + 1, size)]
    return np.concatenate(parts).astype(np.float64)


def _with_biases(content: bytes) -> Graph:
    """Return the graph with a bias, if only of zeros, for every Conv and Gemm: repair needs a place for the mean."""
    graph = Graph(content)
    for node in graph.nodes:
        weight = graph.arrays.get(node.input[1]) if len(node.input) > 1 else None
        if node.op_type not in ("Conv", "Gemm") or weight is None or (len(node.input) > 2 and node.input[2]):
            continue
        outputs = weight.shape[0 if node.op_type == "Conv" or attribute(node, "transB", 0) else 1]
        graph.arrays[f"{node.output[0]}.bias"] = np.zeros(outputs, weight.dtype)
        del node.input[2:]
        node.input.append(f"{node.output[0]}.bias")
    graph.index()
    return graph


def _choose(layers: list[Layer], error: float | None, share: float | None) -> repair.Index:
    order = repair.elimination_order(layers)
    if share is not None:
        wanted = max(_FEWEST_CHANNELS, round(len(order) * (1 - share)))
        return np.sort(order[len(order) - wanted :])
    left = len(repair.fewest(layers, order, error or 0.0, at_least=_FEWEST_CHANNELS))
    blocks = min(len(order), -(-left // _BLOCK) * _BLOCK)
    return np.sort(order[len(order) - blocks :])


def _replace(graph: Graph, space: Space, layers: list[Layer], left: repair.Index) -> None:
    for reader, layer in zip(space.readers, layers, strict=True):
        weight, bias = repair.refit(layer, left)
        _write(graph, reader, weight, bias, len(left))
    channels.keep(graph, space, left)
    graph.index()


def _measure(
    graph: Graph, original: onnx.ModelProto, space: Space, x: Array, run: Session, left_of: Outputs
) -> list[Layer]:
    """Gather the moments of each reader: inputs as they are now, outputs as they were originally.

    `left_of`: which outputs a reader still has, when its own channels were cut before those it reads.
    """
    layers = [_layer(graph, reader) for reader in space.readers]
    inputs = [reader.node.input[0] for reader in space.readers]
    outputs = [reader.node.output[0] for reader in space.readers]
    now, then = run(with_outputs(graph.model(), dict.fromkeys(inputs))), run(with_outputs(original, outputs))
    places = {name: place for place, name in enumerate(dict.fromkeys(inputs))}
    for chunk, rows in _chunks(graph, x):
        feed = {graph.inputs[0]: rows}
        given, wanted = now.run(None, feed), then.run(None, feed)
        for reader, layer, out, name in zip(space.readers, layers, wanted, inputs, strict=True):
            per_chunk = max(1, _MOST_ROWS * len(rows) // max(len(x), 1))
            columns, targets = _rows(reader.node, graph, given[places[name]], out, per_chunk, chunk)
            left = left_of.get(reader.node.output[0])
            targets = targets if left is None else targets[:, left]
            (layer.held_out if chunk % 4 == 3 else layer.fit).add(columns, targets)
    return layers


def _chunks(graph: Graph, x: Array) -> Iterator[tuple[int, Array]]:
    """Yield the inputs in at least eight chunks; one by one when the model takes no other batch."""
    fixed = graph.size(graph.inputs[0], 0)
    size = fixed or max(1, min(_BATCH, len(x) // 8))
    for chunk, start in enumerate(range(0, len(x) - size + 1, size)):
        yield chunk, x[start : start + size]


def _layer(graph: Graph, reader: Reader) -> Layer:
    node = reader.node
    weight = graph.arrays[node.input[1]].astype(np.float64)
    if node.op_type == "Conv":
        matrix = weight.reshape(len(weight), -1).T
        width = int(np.prod(weight.shape[2:])) * reader.width
    else:
        matrix = weight.T if attribute(node, "transB", 0) else weight
        width = reader.width
    has_bias = node.op_type != "MatMul"
    bias = None
    if has_bias:
        given = graph.arrays[node.input[2]].astype(np.float64)
        bias = np.broadcast_to(np.ravel(given), (matrix.shape[1],)).copy()
    columns, outputs = matrix.shape
    empty = Moments.empty(columns, outputs)
    return Layer(weight=matrix, bias=bias, width=width, fit=empty, held_out=Moments.empty(columns, outputs))


def _rows(node: onnx.NodeProto, graph: Graph, x: Array, y: Array, most: int, seed: int) -> tuple[Array, Array]:
    """Return what the layer multiplies with its weight, and what it should give: at most `most` rows."""
    random = np.random.default_rng(seed)
    if node.op_type != "Conv":
        flat_x, flat_y = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
        chosen = np.sort(random.permutation(len(flat_x))[:most])
        return flat_x[chosen], flat_y[chosen]
    n, outputs, height, width = y.shape
    chosen = np.sort(random.permutation(n * height * width)[:most])
    image, down, right = np.unravel_index(chosen, (n, height, width))
    return _patches(node, graph, x, image, down, right), y[image, :, down, right].reshape(-1, outputs)


def _patches(node: onnx.NodeProto, graph: Graph, x: Array, image: Array, down: Array, right: Array) -> Array:
    """Return the patches under a convolution's kernel at the given outputs, ordered as its weight is."""
    kernel = graph.arrays[node.input[1]].shape[2:]
    strides = attribute(node, "strides", [1, 1])
    spread = attribute(node, "dilations", [1, 1])
    top, left, bottom, right_pad = _pads(node, x.shape[2:], kernel, strides, spread)
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right_pad)))
    rows = down[:, None] * strides[0] + np.arange(kernel[0]) * spread[0]
    columns = right[:, None] * strides[1] + np.arange(kernel[1]) * spread[1]
    patches = padded[image[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return np.ascontiguousarray(patches.transpose(0, 3, 1, 2)).reshape(len(image), -1)


def _pads(node: onnx.NodeProto, size: Any, kernel: Any, strides: Any, spread: Any) -> tuple[int, int, int, int]:
    mode = attribute(node, "auto_pad", b"NOTSET").decode()
    if mode in ("NOTSET", ""):
        top, left, bottom, right = attribute(node, "pads", [0, 0, 0, 0])
        return top, left, bottom, right
    if mode == "VALID":
        return 0, 0, 0, 0
    sides = []
    for length, k, stride, gap in zip(size, kernel, strides, spread, strict=True):
        total = max((-(-length // stride) - 1) * stride + (k - 1) * gap + 1 - length, 0)
        sides.append((total // 2, total - total // 2) if mode == "SAME_UPPER" else (total - total // 2, total // 2))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _write(graph: Graph, reader: Reader, weight: repair.Matrix, bias: repair.Matrix | None, left: int) -> None:
    node = reader.node
    old = graph.arrays[node.input[1]]
    if node.op_type == "Conv":
        graph.arrays[node.input[1]] = weight.T.reshape(old.shape[0], left, *old.shape[2:]).astype(old.dtype)
    else:
        turned = weight.T if attribute(node, "transB", 0) else weight
        graph.arrays[node.input[1]] = np.ascontiguousarray(turned).astype(old.dtype)
    if bias is None:
        return
    graph.arrays[node.input[2]] = bias.astype(old.dtype)
