"""Reading and rewriting an ONNX graph: weights as arrays, who makes a tensor, who takes it, its shape, its cost."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array = npt.NDArray[Any]


class Graph:
    """An ONNX model with its initializers as arrays. `model()` gives the changed model, sorted and checked."""

    def __init__(self, content: bytes) -> None:
        self.proto = onnx.load_model_from_string(content)
        self._fold_constants()
        self.arrays: dict[str, Array] = {
            item.name: np.array(numpy_helper.to_array(item)) for item in self.proto.graph.initializer
        }
        self._known = set(self.arrays)
        self._drop_weight_inputs()
        sort(self.proto)
        self.index()

    def index(self) -> None:
        """Find makers, takers and shapes again after nodes have changed."""
        self.nodes: list[onnx.NodeProto] = list(self.proto.graph.node)
        self.maker: dict[str, onnx.NodeProto] = {out: node for node in self.nodes for out in node.output if out}
        self.takers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                if name:
                    self.takers[name].append(node)
        self.shapes = _shapes(self.proto)

    @property
    def inputs(self) -> list[str]:
        return [port.name for port in self.proto.graph.input]

    @property
    def outputs(self) -> list[str]:
        return [port.name for port in self.proto.graph.output]

    def rank(self, name: str) -> int:
        shape = self.shapes.get(name)
        return len(shape) if shape is not None else -1

    def size(self, name: str, axis: int) -> int:
        """Return the length of an axis, 0 when it varies or is unknown."""
        shape = self.shapes.get(name)
        return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else 0

    def is_shared(self, name: str) -> bool:
        return len(self.takers[name]) > 1

    def model(self) -> onnx.ModelProto:
        """Return the model with the arrays as they are now. Shapes of the inside are dropped: they may have changed."""
        graph = self.proto.graph
        used = {name for node in graph.node for name in node.input} | set(self.outputs)
        del graph.initializer[:]
        graph.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in self.arrays.items()
            if name in used
        )
        del graph.value_info[:]
        sort(self.proto)
        return self.proto

    def bytes(self) -> bytes:
        return serialized(self.model())

    def _fold_constants(self) -> None:
        kept = []
        for node in self.proto.graph.node:
            value = attribute(node, "value") if node.op_type == "Constant" else None
            if isinstance(value, onnx.TensorProto):
                self.proto.graph.initializer.append(value)
                self.proto.graph.initializer[-1].name = node.output[0]
            else:
                kept.append(node)
        if len(kept) != len(self.proto.graph.node):
            copies = [_copy(node) for node in kept]
            del self.proto.graph.node[:]
            self.proto.graph.node.extend(copies)

    def _drop_weight_inputs(self) -> None:
        kept = [_copy(port) for port in self.proto.graph.input if port.name not in self.arrays]
        del self.proto.graph.input[:]
        self.proto.graph.input.extend(kept)


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    for item in node.attribute:
        if item.name == name:
            return helper.get_attribute_value(item)
    return default


def serialized(model: onnx.ModelProto) -> bytes:
    """Return the bytes of a checked model; equal models give equal bytes."""
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def sort(model: onnx.ModelProto) -> None:
    """Put the nodes in an order in which each comes after those that feed it. The fp16 converter leaves them unsorted.

    A graph that is in order is not touched, so that its nodes stay the objects they are.
    Raises: ValueError: the graph has a cycle.
    """
    graph = model.graph
    ready = {port.name for port in graph.input} | {item.name for item in graph.initializer} | {""}
    if _is_sorted(graph, set(ready)):
        return
    waiting, ordered = list(graph.node), []
    while waiting:
        later = []
        for node in waiting:
            if all(name in ready for name in _reads(node)):
                ready.update(node.output)
                ordered.append(_copy(node))
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise ValueError("the graph has a cycle or reads what nothing makes")
        waiting = later
    del graph.node[:]
    graph.node.extend(ordered)


def _is_sorted(graph: onnx.GraphProto, ready: set[str]) -> bool:
    for node in graph.node:
        if not ready.issuperset(_reads(node)):
            return False
        ready.update(node.output)
    return True


def with_outputs(model: onnx.ModelProto, names: Iterable[str]) -> bytes:
    """Return the model that gives the named tensors instead of its outputs, unchecked."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return bytes(copy.SerializeToString(deterministic=True))


def fix_batch(model: onnx.ModelProto) -> None:
    """Give every input a fixed shape: every varying axis becomes 1."""
    for port in model.graph.input:
        for dimension in port.type.tensor_type.shape.dim:
            if not dimension.HasField("dim_value") or dimension.dim_value <= 0:
                dimension.dim_value = 1
    for port in model.graph.output:
        port.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(model)
    for port, known in zip(model.graph.output, inferred.graph.output, strict=True):
        port.CopyFrom(known)


def macs(content: bytes) -> int:
    """Return the multiply-accumulates of one inference at batch size 1 (Conv, ConvTranspose, Gemm, MatMul)."""
    graph = Graph(content)
    fix_batch(graph.proto)
    shapes = _shapes(graph.proto)
    total = 0
    for node in graph.nodes:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul", "ConvInteger", "MatMulInteger"):
            continue
        total += _macs(node, shapes, graph)
    return total


def _macs(node: onnx.NodeProto, shapes: dict[str, list[int]], graph: Graph) -> int:
    out = shapes.get(node.output[0])
    weight = _weight_shape(node.input[1], graph, shapes)
    if not out or not weight:
        return 0
    if "Conv" in node.op_type:
        places = shapes.get(node.input[0], out) if node.op_type == "ConvTranspose" else out
        return math.prod(places[2:]) * math.prod(weight)
    inner = weight[-1] if attribute(node, "transB", 0) else weight[0] if len(weight) == 2 else weight[-2]
    return math.prod(out) * inner


def _weight_shape(name: str, graph: Graph, shapes: dict[str, list[int]]) -> Sequence[int]:
    """Return the shape of a weight, also behind a DequantizeLinear."""
    if name in graph.arrays:
        return graph.arrays[name].shape
    maker = graph.maker.get(name)
    if maker is not None and maker.op_type == "DequantizeLinear" and maker.input[0] in graph.arrays:
        return graph.arrays[maker.input[0]].shape
    return shapes.get(name, [])


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Return the shape of every tensor that has one; 0 stands for an axis that varies."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    try:
        copy = onnx.shape_inference.infer_shapes(copy, data_prop=True)
    except onnx.shape_inference.InferenceError:
        return {}
    ports = (*copy.graph.input, *copy.graph.output, *copy.graph.value_info)
    return {
        port.name: [dimension.dim_value for dimension in port.type.tensor_type.shape.dim]
        for port in ports
        if port.type.HasField("tensor_type") and port.type.tensor_type.HasField("shape")
    }


def _reads(node: onnx.NodeProto) -> list[str]:
    """Return what a node reads, leaving out what its subgraphs read from outside when they are nested deeper."""
    names = list(node.input)
    for item in node.attribute:
        for inner in ([item.g] if item.HasField("g") else []) + list(item.graphs):
            made = {out for one in inner.node for out in one.output}
            made |= {port.name for port in inner.input} | {weight.name for weight in inner.initializer}
            names += [name for one in inner.node for name in _reads(one) if name not in made]
    return names


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
