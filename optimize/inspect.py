"""What a model file needs of the app that runs it, read from its bytes; hostile files are refused in one sentence.

Nothing here loads the model: the file is walked with a bounded reader before onnx or ONNX Runtime see it. Pure.
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from core.errors import InvalidInputError, Problem
from optimize import mlpackage, tensors, tflite
from optimize.needs import Needs as Needs
from optimize.needs import Port as Port
from optimize.needs import format_of
from optimize.protobuf import BYTES, VARINT, WireError, fields, text
from optimize.tensors import LARGEST_ELEMENTS, RefusedError, Tensor

LARGEST_BYTES: Final = 512_000_000
MOST_NODES: Final = 50_000
MOST_TENSORS: Final = 50_000
DEEPEST: Final = 6
DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
NEWEST_IR: Final = 14
_MAGIC: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x80\x02", "is a Python pickle, which can run code when opened; export the model to ONNX"),
    (0, b"\x80\x03", "is a Python pickle, which can run code when opened; export the model to ONNX"),
    (0, b"\x80\x04", "is a Python pickle, which can run code when opened; export the model to ONNX"),
    (0, b"\x80\x05", "is a Python pickle, which can run code when opened; export the model to ONNX"),
    (0, b"\x93NUMPY", "is a NumPy array, not a model"),
    (0, b"\x89HDF", "is an HDF5 file (Keras); export the model to ONNX"),
    (0, b"GGUF", "is a GGUF file; only ONNX, .tflite and .mlpackage are understood here"),
    (0, b"\x1f\x8b", "is compressed with gzip; send the ONNX file itself"),
    (0, b"\x7fELF", "is a program, not a model"),
    (0, b"MZ", "is a program, not a model"),
    (0, b"\x89PNG", "is an image, not a model"),
    (4, b"ORTM", "is in ORT format, already final; optimize the ONNX file that it was made from"),
    (4, b"ET12", "is an ExecuTorch program, already final; optimize the file that it was made from"),
)


@dataclass(slots=True)
class _Walk:
    """What has been seen so far of one file."""

    ops: Counter[str] = field(default_factory=Counter)
    tensors: int = 0
    parameters: int = 0
    weight_bytes: int = 0
    weight_dtypes: Counter[str] = field(default_factory=Counter)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    initializers: dict[str, Tensor] = field(default_factory=dict)


def read_needs(content: bytes, *, largest_bytes: int = LARGEST_BYTES) -> Needs:
    """Read what the file needs.

    Raises: InvalidInputError: with the one sentence for which the file is refused.
    """
    try:
        return _read(content, largest_bytes)
    except (WireError, RefusedError) as error:
        sentence = str(error) if isinstance(error, RefusedError) else f"is no ONNX file, or a damaged one ({error})"
        raise InvalidInputError(Problem("model", sentence)) from error


def _read(content: bytes, largest_bytes: int) -> Needs:
    if not content:
        raise RefusedError("is empty (0 bytes)")
    if len(content) > largest_bytes:
        raise RefusedError(f"is {len(content) / 1e6:.0f} MB; at most {largest_bytes / 1e6:.0f} MB are taken")
    for offset, magic, sentence in _MAGIC:
        if content[offset : offset + len(magic)] == magic:
            raise RefusedError(sentence)
    match format_of(content):
        case "tflite":
            return tflite.read(content)
        case "mlpackage":
            return mlpackage.read(content)
        case _:
            return _onnx(content)


def _onnx(content: bytes) -> Needs:
    walk, opsets, metadata = _Walk(), dict[str, int](), dict[str, str]()
    ir_version, producer, graph = 0, "", None
    for number, wire_type, value, inner in fields(memoryview(content)):
        if number == 1 and wire_type == VARINT:
            ir_version = value
        elif number in (2, 3) and wire_type == BYTES:
            producer = f"{producer} {text(inner, 60)}".strip()
        elif number == 7 and wire_type == BYTES:
            if graph is not None:
                raise RefusedError("holds two graphs")
            graph = inner
        elif number == 8:
            opsets.update([_opset(inner)])
        elif number == 14 and len(metadata) < 200:
            metadata.update([_entry(inner)])
        elif number == 25:
            raise RefusedError("brings functions of its own; inline them first (onnx.inliner.inline_local_functions)")
    if graph is None or not 1 <= ir_version <= NEWEST_IR:
        raise RefusedError("is no ONNX file, or a damaged one (no graph)")
    _graph(graph, walk, depth=0)
    _check_whole(walk, opsets)
    return Needs(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        ir_version=ir_version,
        producer=producer,
        opsets=opsets,
        ops=dict(sorted(walk.ops.items())),
        inputs=tuple(port for port in walk.inputs if port.name not in walk.initializers),
        outputs=tuple(walk.outputs),
        parameters=walk.parameters,
        weight_bytes=walk.weight_bytes,
        weight_dtypes=dict(walk.weight_dtypes),
        hints={
            key.removeprefix("muster."): text for key, text in metadata.items() if key.startswith("muster.session.")
        },
        labels=_labels(metadata),
    )


def _check_whole(walk: _Walk, opsets: Mapping[str, int]) -> None:
    if not walk.ops:
        raise RefusedError("has no operators")
    if not walk.outputs or not any(port.name not in walk.initializers for port in walk.inputs):
        raise RefusedError("has no input or no output")
    if not 7 <= opsets.get("", opsets.get("ai.onnx", 0)) <= 30:
        raise RefusedError("names no operator set between 7 and 30")
    for port in (*walk.inputs, *walk.outputs):
        if math.prod(size for size in port.shape if isinstance(size, int)) > LARGEST_ELEMENTS:
            raise RefusedError(f"declares {port.name!r} with more than {LARGEST_ELEMENTS:,} elements")


def _graph(graph: memoryview, walk: _Walk, *, depth: int) -> None:
    if depth > DEEPEST:
        raise RefusedError(f"nests graphs deeper than {DEEPEST}")
    nodes: list[memoryview] = []
    for number, wire_type, _, inner in fields(graph):
        if wire_type != BYTES:
            continue
        if number == 1:
            nodes.append(inner)
            if sum(walk.ops.values()) + len(nodes) > MOST_NODES:
                raise RefusedError(f"has more than {MOST_NODES:,} operators")
        elif number == 5:
            tensor = _tensor(inner, walk)
            walk.initializers[tensor.name] = tensor
        elif number == 15:
            raise RefusedError("holds sparse tensors; make them dense first")
        elif number in (11, 12) and depth == 0:
            (walk.inputs if number == 11 else walk.outputs).append(_port(inner))
    for node in nodes:
        _node(node, walk, depth)


def _node(node: memoryview, walk: _Walk, depth: int) -> None:
    op, domain, inputs, attributes = "", "", list[str](), list[memoryview]()
    for number, wire_type, _, inner in fields(node):
        if wire_type != BYTES:
            continue
        if number == 1:
            inputs.append(text(inner))
        elif number == 4:
            op = text(inner, 80)
        elif number == 5:
            attributes.append(inner)
        elif number == 7:
            domain = text(inner, 80)
    if domain not in DOMAINS:
        raise RefusedError(f"uses {op!r} of the domain {domain!r}, which phones do not have")
    walk.ops[op if domain in ("", "ai.onnx") else f"{domain}:{op}"] += 1
    for attribute in attributes:
        _attribute(attribute, walk, depth)
    tensors.check_growth(op, inputs, walk.initializers)


def _attribute(attribute: memoryview, walk: _Walk, depth: int) -> None:
    for number, wire_type, _, inner in fields(attribute):
        if wire_type != BYTES:
            continue
        if number in (5, 10):
            _tensor(inner, walk)
        elif number in (6, 11):
            _graph(inner, walk, depth=depth + 1)
        elif number in (22, 23):
            raise RefusedError("holds sparse tensors; make them dense first")


def _tensor(inner: memoryview, walk: _Walk) -> Tensor:
    tensor = tensors.read(inner)
    walk.tensors += 1
    if walk.tensors > MOST_TENSORS:
        raise RefusedError(f"has more than {MOST_TENSORS:,} tensors")
    walk.weight_bytes += tensor.size_bytes
    walk.weight_dtypes[tensor.dtype] += tensor.elements
    if tensor.is_float or tensor.dtype in ("int8", "uint8", "int4", "uint4"):
        walk.parameters += tensor.elements
    return tensor


def _port(value_info: memoryview) -> Port:
    name, dtype, shape = "", "other", tuple[int | str, ...]()
    for number, _, _, inner in fields(value_info):
        if number == 1:
            name = text(inner)
        elif number == 2:
            for kind, _, _, tensor_type in fields(inner):
                if kind == 1:
                    dtype, shape = _tensor_type(tensor_type)
    return Port(name=name, dtype=dtype, shape=shape)


def _tensor_type(tensor_type: memoryview) -> tuple[str, tuple[int | str, ...]]:
    dtype, shape = "other", list[int | str]()
    for number, _, value, inner in fields(tensor_type):
        if number == 1:
            dtype = tensors.dtype_name(value)
        elif number == 2:
            shape += [_dimension(dimension) for one, _, _, dimension in fields(inner) if one == 1]
    return dtype, tuple(shape)


def _dimension(dimension: memoryview) -> int | str:
    for number, wire_type, value, inner in fields(dimension):
        if number == 1 and wire_type == VARINT:
            return value
        if number == 2:
            return text(inner, 40)
    return "?"


def _opset(inner: memoryview) -> tuple[str, int]:
    found = {number: (value, content) for number, _, value, content in fields(inner)}
    domain = text(found[1][1], 80) if 1 in found else ""
    return ("" if domain == "ai.onnx" else domain), found[2][0] if 2 in found else 0


def _entry(inner: memoryview) -> tuple[str, str]:
    found = {number: text(content, 4000) for number, _, _, content in fields(inner)}
    return found.get(1, ""), found.get(2, "")


def _labels(metadata: Mapping[str, str]) -> tuple[str, ...]:
    named: Callable[[str], str | None] = metadata.get
    line = named("labels") or named("classes") or named("names") or ""
    return tuple(word.strip(" '\"[]{}") for word in line.split(",") if word.strip())[:1000]
