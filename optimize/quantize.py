"""Smaller numbers for an ONNX graph: int8 static and dynamic, int8 and int4 weights, fp16. For the limited child."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from optimize import graph as graphs
from optimize.graph import Graph, attribute

Array = npt.NDArray[Any]
Session = Callable[[bytes], Any]
SESSION_HINT: Final = {"session.disable_quant_qdq": "1"}
LEAST_WEIGHTS: Final = 512
_CALIBRATION_ROWS: Final = 512
_MOST_PROBES: Final = 24
_BLOCK: Final = 32
_LAYERS: Final = ("Conv", "Gemm", "MatMul")


def static(content: bytes, x: Array, folder: Path, *, run: Session, skip: int = 0) -> bytes:
    """Quantize weights and activations to int8 with scales from `x`, in QDQ format, weights by channel.

    `skip`: how many of the layers that lose most stay in floating point.
    """
    left_out = _most_sensitive(content, x, folder, run)[:skip] if skip else []
    return _static(content, x, folder, exclude=left_out)


def dynamic(content: bytes, folder: Path) -> bytes:
    """Quantize the weights of Gemm and MatMul to 7 bits by channel; activations are quantized while running.

    Seven bits (reduce_range), because AVX2 kernels without VNNI add up int8 products in 16 bits and saturate.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = _named(content)
    # quantize_dynamic crashes on value_info left by torch's exporter when it replaces a Gemm.
    del model.graph.value_info[:]
    out = folder / "dynamic.onnx"
    with _Quiet():
        quantize_dynamic(
            model, out, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, reduce_range=True,
            weight_type=QuantType.QInt8, extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
    return _taken(out)


def weights(content: bytes, *, bits: int) -> bytes:
    """Keep weights as int8 or int4 and dequantize them while running; activations stay in floating point.

    Four bits only for Gemm and MatMul, in blocks of 32; kernels of convolutions have too few numbers to a block.

    The app sets `session.disable_quant_qdq=1`, else it runs three times slower; the file carries that hint.
    """
    graph = Graph(_at_opset(content, 21 if bits == 4 else 13))
    for node in graph.nodes:
        if node.op_type not in _LAYERS or len(node.input) < 2 or node.domain not in ("", "ai.onnx"):
            continue
        name = node.input[1]
        array = graph.arrays.get(name)
        if array is None or array.dtype != np.float32 or array.size < LEAST_WEIGHTS or array.ndim < 2:
            continue
        axis = 0 if node.op_type == "Conv" or attribute(node, "transB", 0) else array.ndim - 1
        _store_small(graph, name, array, axis=axis, bits=8 if node.op_type == "Conv" else bits)
    model = graph.model()
    for key, value in SESSION_HINT.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = f"muster.{key}", value
    return shorten_names(graphs.serialized(model))


def half(content: bytes) -> bytes:
    """Store the weights as fp16 and compute in it; inputs and outputs stay as they are."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.load_model_from_string(content)
    with _Quiet(), np.errstate(all="ignore"):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = convert_float_to_float16(model, keep_io_types=True)
    del model.graph.value_info[:]
    # The converter puts its casts anywhere; onnx.checker refuses the file until it is sorted.
    graphs.sort(model)
    return graphs.serialized(model)


def shorten_names(content: bytes) -> bytes:
    """Give inner tensors short names and drop the names of nodes: kilobytes in a quantized graph."""
    model = onnx.load_model_from_string(content)
    graph = model.graph
    if any(item.HasField("g") or item.graphs for node in graph.node for item in node.attribute):
        return content
    fixed = {port.name for port in (*graph.input, *graph.output)} | {""}
    short: dict[str, str] = {}

    def rename(name: str) -> str:
        return name if name in fixed else short.setdefault(name, f"t{len(short)}")

    for node in graph.node:
        node.name, node.doc_string = "", ""
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = rename(name)
    for tensor in graph.initializer:
        tensor.name, tensor.doc_string = rename(tensor.name), ""
    del graph.value_info[:]
    return graphs.serialized(model)


def _static(content: bytes, x: Array, folder: Path, *, exclude: Sequence[str] = (), only: str | None = None) -> bytes:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = _named(content)
    del model.graph.value_info[:]
    out = folder / "static.onnx"
    with _Quiet():
        quantize_static(
            model, out, _Rows(model, x), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax, nodes_to_exclude=list(exclude),
            nodes_to_quantize=[only] if only else None,
            op_types_to_quantize=["Conv", "Gemm", "MatMul", "Add", "Mul", "MaxPool", "AveragePool", "GlobalAveragePool",
                                  "Relu", "Clip", "Concat", "Reshape", "Flatten", "Transpose", "Resize", "HardSwish"],
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )  # fmt: skip
    return _taken(out)


def _most_sensitive(content: bytes, x: Array, folder: Path, run: Session) -> list[str]:
    """Return the names of the layers, the one whose quantization alone moves the output most first."""
    model = _named(content)
    rows = x[:64]
    name = model.graph.input[0].name
    before = run(content).run(None, {name: rows})[0]
    layers = [node.name for node in model.graph.node if node.op_type in _LAYERS][:_MOST_PROBES]
    lost = []
    for layer in layers:
        after = run(_static(content, rows, folder, only=layer)).run(None, {name: rows})[0]
        lost.append(float(((after - before) ** 2).mean()))
    return [layers[place] for place in np.argsort(lost)[::-1]]


class _Rows:
    """Feeds calibration rows the way onnxruntime.quantization asks for them."""

    def __init__(self, model: onnx.ModelProto, x: Array) -> None:
        port = model.graph.input[0]
        first = port.type.tensor_type.shape.dim[0]
        size = first.dim_value if first.HasField("dim_value") and first.dim_value > 0 else 64
        rows = x[:_CALIBRATION_ROWS]
        self.batches: Iterator[dict[str, Array]] = iter(
            [{port.name: rows[start : start + size]} for start in range(0, len(rows) - size + 1, size)]
        )

    def get_next(self) -> dict[str, Array] | None:
        return next(self.batches, None)


def _store_small(graph: Graph, name: str, array: Array, *, axis: int, bits: int) -> None:
    """Replace a weight by its integers, a scale for each channel (int4: for each block too) and DequantizeLinear."""
    largest = 127 if bits == 8 else 7
    inner = 1 - axis if array.ndim == 2 else -1
    blocked = bits == 4 and inner >= 0 and array.shape[inner] % _BLOCK == 0
    if blocked:
        folded = np.moveaxis(array, inner, -1).reshape(array.shape[axis], -1, _BLOCK)
        scale = _best_scale(folded, largest)
        spread = np.moveaxis(np.repeat(scale, _BLOCK, axis=-1), -1, inner)
        scale = np.moveaxis(scale, -1, inner)
    else:
        others = tuple(place for place in range(array.ndim) if place != axis)
        spread = np.abs(array).max(axis=others, keepdims=True) / largest
        scale = spread.ravel()
    whole = np.clip(np.round(array / np.where(spread == 0, 1, spread)), -largest, largest).astype(np.int8)
    graph.arrays[f"{name}.int"] = (
        whole if bits == 8 else whole.astype(helper.tensor_dtype_to_np_dtype(TensorProto.INT4))
    )
    graph.arrays[f"{name}.scale"] = scale.astype(np.float32)
    del graph.arrays[name]
    extra: dict[str, Any] = {"axis": inner, "block_size": _BLOCK} if blocked else {"axis": axis}
    node = helper.make_node("DequantizeLinear", [f"{name}.int", f"{name}.scale"], [name], f"{name}.dequantize", **extra)
    graph.proto.graph.node.insert(0, node)


def _best_scale(blocks: Array, largest: int) -> Array:
    """Return for each block (last axis) the scale with the least squared rounding error; clipping a little pays."""
    widest: Array = np.abs(blocks).max(axis=-1) / largest
    best, least = widest, np.full(widest.shape, np.inf)
    for shrink in np.linspace(1.0, 0.7, 7):
        scale = np.where(widest == 0, 1, widest * shrink)
        rounded = np.clip(np.round(blocks / scale[..., None]), -largest, largest) * scale[..., None]
        lost = ((rounded - blocks) ** 2).sum(axis=-1)
        best, least = np.where(lost < least, scale, best), np.minimum(lost, least)
    return best


def _at_opset(content: bytes, least: int) -> bytes:
    model = onnx.load_model_from_string(content)
    version = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    if version >= least:
        return content
    converted = onnx.version_converter.convert_version(model, least)
    converted.ir_version = max(converted.ir_version, 10 if least >= 21 else 7)
    return bytes(converted.SerializeToString(deterministic=True))


def _named(content: bytes) -> onnx.ModelProto:
    """Return the model with a name for every node; the quantizer tells them apart by name."""
    model = onnx.load_model_from_string(content)
    seen: set[str] = set()
    for place, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{place}"
        seen.add(node.name)
    return model


def _taken(path: Path) -> bytes:
    """Return what a quantizer wrote, sorted and checked, and remove it."""
    model = onnx.load_model_from_string(path.read_bytes())
    path.unlink()
    del model.graph.value_info[:]
    del model.metadata_props[:]
    graphs.sort(model)
    return shorten_names(graphs.serialized(model))


class _Quiet:
    """Silences the root logger of onnxruntime.quantization, which warns about preprocessing on every call."""

    def __enter__(self) -> None:
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(logging.NOTSET)
