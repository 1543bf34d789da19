"""Which channels of an ONNX graph hang together: who makes them, who reads them, what else must be cut with them.

A space of channels starts at a Conv, Gemm or MatMul, flows through channel-wise operators (activations, pooling,
depthwise convolutions, squeeze-and-excite, Flatten, additions of equal shape) and ends at the layers that mix it. A
space that reaches anything else (an output, Concat, Softmax …) is closed: none of its channels is dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import onnx

from optimize.graph import Graph, attribute

_POINTWISE: Final = frozenset(
    {"Relu", "LeakyRelu", "Clip", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "Gelu",
     "Softplus", "Softsign", "Mish", "Erf", "Abs", "Neg", "Sqrt", "Exp", "Identity", "Dropout", "Swish",
     "ThresholdedRelu"}
)  # fmt: skip
_POOLING: Final = frozenset({"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool"})
_TWO_SIDED: Final = frozenset({"Add", "Sub", "Mul", "Div", "Min", "Max", "Pow", "PRelu"})
_REDUCING: Final = frozenset({"ReduceMean", "ReduceMax", "ReduceSum"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The array `name` loses along `axis` what its channels lose."""

    name: str
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A layer that mixes the channels; each is `width` entries in a row along the input axis of its weight."""

    node: onnx.NodeProto
    width: int


@dataclass(slots=True, kw_only=True)
class Space:
    channels: int
    place: int
    makers: list[onnx.NodeProto] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    depthwise: list[onnx.NodeProto] = field(default_factory=list)
    is_closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    """How a tensor carries a space: on `axis`, `width` entries for each channel."""

    space: int
    axis: int
    width: int = 1


def find_spaces(graph: Graph) -> list[Space]:
    """Return the open spaces, front to back."""
    return _Finder(graph).find()


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.spaces: list[Space] = []
        self.parent: list[int] = []
        self.flows: dict[str, _Flow] = {}

    def find(self) -> list[Space]:
        for place, node in enumerate(self.graph.nodes):
            self._visit(node, place)
        for name in self.graph.outputs:
            self._close(name)
        roots = [space for number, space in enumerate(self.spaces) if self._root(number) == number]
        return [space for space in roots if space.makers and space.readers and not space.is_closed]

    def _visit(self, node: onnx.NodeProto, place: int) -> None:
        kind = node.op_type if node.domain in ("", "ai.onnx") else ""
        if kind == "Conv" and self._is_depthwise(node):
            self._depthwise(node)
        elif kind in ("Conv", "Gemm", "MatMul") and self._is_layer(node):
            self._layer(node, place)
        elif kind in _POINTWISE or kind in _POOLING:
            self._follow(node)
        elif kind == "BatchNormalization":
            self._follow(node)
            self._cut(node.input[0], [Cut(name=name, axis=0) for name in node.input[1:5]])
        elif kind in _TWO_SIDED:
            self._two_sided(node)
        elif kind in ("Flatten", "Reshape"):
            self._flatten(node)
        elif kind in _REDUCING and self._reduces_places(node):
            self._follow(node)
        else:
            for name in node.input:
                self._close(name)

    def _is_layer(self, node: onnx.NodeProto) -> bool:
        """Whether it mixes channels by a constant weight of its own, plainly."""
        weights = [name for name in node.input[1:] if name]
        if not all(name in self.graph.arrays and not self.graph.is_shared(name) for name in weights):
            return False
        if node.op_type == "Conv":
            return int(attribute(node, "group", 1)) == 1 and self.graph.arrays[weights[0]].ndim == 4
        if node.op_type == "Gemm":
            plain = not attribute(node, "transA", 0)
            return plain and float(attribute(node, "alpha", 1.0)) == float(attribute(node, "beta", 1.0)) == 1.0
        return self.graph.arrays[weights[0]].ndim == 2 and self.graph.rank(node.input[0]) >= 2

    def _is_depthwise(self, node: onnx.NodeProto) -> bool:
        weight = self.graph.arrays.get(node.input[1])
        if weight is None or any(name not in self.graph.arrays for name in node.input[2:] if name):
            return False
        group = attribute(node, "group", 1)
        return bool(group > 1) and bool(group == weight.shape[0]) and weight.shape[1] == 1

    def _layer(self, node: onnx.NodeProto, place: int) -> None:
        weight = self.graph.arrays[node.input[1]]
        is_conv = node.op_type == "Conv"
        axis_in = 1 if is_conv or attribute(node, "transB", 0) else 0
        flow = self.flows.get(node.input[0])
        if flow:
            space = self.spaces[self._root(flow.space)]
            rank = self.graph.rank(node.input[0])
            if flow.axis in (1, rank - 1) and weight.shape[axis_in] == space.channels * flow.width:
                space.readers.append(Reader(node=node, width=flow.width))
            else:
                space.is_closed = True
        axis_out = 0 if is_conv or attribute(node, "transB", 0) else 1
        cuts = [Cut(name=node.input[1], axis=axis_out)]
        if len(node.input) > 2 and node.input[2]:
            bias = self.graph.arrays[node.input[2]]
            if bias.size == weight.shape[axis_out]:
                cuts.append(Cut(name=node.input[2], axis=bias.ndim - 1))
        space = Space(channels=weight.shape[axis_out], place=place, makers=[node], cuts=cuts)
        self.spaces.append(space)
        self.parent.append(len(self.parent))
        rank = self.graph.rank(node.output[0])
        axis = 1 if is_conv or node.op_type == "Gemm" else rank - 1
        self.flows[node.output[0]] = _Flow(space=len(self.spaces) - 1, axis=axis)

    def _depthwise(self, node: onnx.NodeProto) -> None:
        flow = self.flows.get(node.input[0])
        if flow is None:
            return
        self._follow(node)
        self._cut(node.input[0], [Cut(name=name, axis=0) for name in node.input[1:] if name])
        self.spaces[self._root(flow.space)].depthwise.append(node)

    def _two_sided(self, node: onnx.NodeProto) -> None:
        constants = [name for name in node.input if name in self.graph.arrays]
        varying = [name for name in node.input if name not in self.graph.arrays]
        if len(varying) == 2 and self._agree(*varying):
            self._join(*varying)
            self._follow(node, max(varying, key=lambda name: self.graph.rank(name)))
        elif len(varying) == 1 and len(constants) == 1 and self._constant_follows(varying[0], constants[0]):
            self._follow(node, varying[0])
        else:
            for name in varying:
                self._close(name)

    def _agree(self, one: str, other: str) -> bool:
        """Whether two tensors carry as many channels on the same axis of shapes of equal rank."""
        a, b = self.flows.get(one), self.flows.get(other)
        if a is None or b is None or (a.axis, a.width) != (b.axis, b.width):
            return False
        same = self.spaces[self._root(a.space)].channels == self.spaces[self._root(b.space)].channels
        return same and self.graph.rank(one) == self.graph.rank(other) > 0

    def _constant_follows(self, varying: str, constant: str) -> bool:
        """Whether the constant is one number or one for each channel; then it is cut along."""
        flow, array = self.flows.get(varying), self.graph.arrays[constant]
        if flow is None or array.size == 1:
            return True
        axis = flow.axis - self.graph.rank(varying) + array.ndim
        if axis < 0 or array.shape[axis] != array.size:
            return array.ndim <= self.graph.rank(varying) and (axis < 0 or array.shape[axis] == 1)
        space = self.spaces[self._root(flow.space)]
        if flow.width != 1 or array.size != space.channels or self.graph.is_shared(constant):
            return False
        space.cuts.append(Cut(name=constant, axis=axis))
        return True

    def _flatten(self, node: onnx.NodeProto) -> None:
        flow, shape = self.flows.get(node.input[0]), self.graph.shapes.get(node.input[0])
        if flow is None:
            return
        to = self.graph.arrays.get(node.input[1]) if node.op_type == "Reshape" else None
        if node.op_type == "Flatten":
            fits = attribute(node, "axis", 1) == 1
        else:
            fits = to is not None and to.shape == (2,) and int(to[1]) == -1
        if not fits or not shape or len(shape) < 2 or flow.axis != 1 or any(size <= 0 for size in shape[2:]):
            self._close(node.input[0])
            return
        width = flow.width * math.prod(shape[2:])
        self.flows[node.output[0]] = _Flow(space=flow.space, axis=1, width=width)

    def _reduces_places(self, node: onnx.NodeProto) -> bool:
        """Whether it reduces nothing but the axes behind the channels."""
        axes = attribute(node, "axes")
        if axes is None and len(node.input) > 1 and node.input[1] in self.graph.arrays:
            axes = self.graph.arrays[node.input[1]].tolist()
        flow, rank = self.flows.get(node.input[0]), self.graph.rank(node.input[0])
        return bool(axes) and flow is not None and flow.axis == 1 and all(axis % max(rank, 1) > 1 for axis in axes)

    def _follow(self, node: onnx.NodeProto, source: str | None = None) -> None:
        flow = self.flows.get(source or node.input[0])
        if flow:
            for out in node.output:
                self.flows[out] = flow

    def _cut(self, name: str, cuts: list[Cut]) -> None:
        flow = self.flows.get(name)
        if flow is None:
            return
        space = self.spaces[self._root(flow.space)]
        if all(cut.name in self.graph.arrays and not self.graph.is_shared(cut.name) for cut in cuts):
            space.cuts += cuts
        else:
            space.is_closed = True

    def _join(self, one: str, other: str) -> None:
        roots = sorted({self._root(self.flows[one].space), self._root(self.flows[other].space)})
        if len(roots) == 1:
            return
        a, b = roots
        kept, gone = self.spaces[a], self.spaces[b]
        kept.makers += gone.makers
        kept.readers += gone.readers
        kept.cuts += gone.cuts
        kept.depthwise += gone.depthwise
        kept.is_closed = kept.is_closed or gone.is_closed
        self.parent[b] = a

    def _close(self, name: str) -> None:
        if name in self.flows:
            self.spaces[self._root(self.flows[name].space)].is_closed = True

    def _root(self, number: int) -> int:
        while self.parent[number] != number:
            number = self.parent[number]
        return number


def keep(graph: Graph, space: Space, channels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """Cut everything of the space but its readers down to the kept channels."""
    for cut in space.cuts:
        graph.arrays[cut.name] = np.take(graph.arrays[cut.name], channels, axis=cut.axis)
    for node in space.depthwise:
        for item in node.attribute:
            if item.name == "group":
                item.i = len(channels)
