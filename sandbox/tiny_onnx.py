"""Small but real ONNX files for the demo: a keyword spotter of two layers, written as protocol buffers by hand. Pure.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import struct

import numpy as np

FEATURES = 40
CLASSES = 12
IR_VERSION = 8
OP_SET = 17
FLOAT = 1


def model(name: str, *, kilobytes: int) -> bytes:
    """Return a model of about so many kilobytes; the same name always gives the same bytes."""
    hidden = max(1, round((kilobytes * 1024 - 600) / (4 * (FEATURES + CLASSES + 1))))
    rng = np.random.default_rng(list(name.encode()))
    weights = {
        "w1": rng.normal(0, FEATURES**-0.5, (FEATURES, hidden)),
        "b1": np.zeros(hidden),
        "w2": rng.normal(0, hidden**-0.5, (hidden, CLASSES)),
    }
    nodes = (
        _node("MatMul", ("features", "w1"), "m1"),
        _node("Add", ("m1", "b1"), "a1"),
        _node("Relu", ("a1",), "h1"),
        _node("MatMul", ("h1", "w2"), "scores"),
        _node("Softmax", ("scores",), "keyword"),
    )
    graph = b"".join(_bytes(1, node) for node in nodes)
    graph += _bytes(2, name.encode())
    graph += b"".join(_bytes(5, _tensor(label, values)) for label, values in weights.items())
    graph += _bytes(11, _value("features", FEATURES)) + _bytes(12, _value("keyword", CLASSES))
    op_set = _bytes(1, b"") + _number(2, OP_SET)
    return _number(1, IR_VERSION) + _bytes(2, b"muster sandbox") + _bytes(7, graph) + _bytes(8, op_set)


def _node(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    parts = b"".join(_bytes(1, each.encode()) for each in inputs)
    return parts + _bytes(2, output.encode()) + _bytes(3, f"{kind}_{output}".encode()) + _bytes(4, kind.encode())


def _tensor(label: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    dims = b"".join(_number(1, each) for each in values.shape)
    return dims + _number(2, FLOAT) + _bytes(8, label.encode()) + _bytes(9, values.astype("<f4").tobytes())


def _value(label: str, width: int) -> bytes:
    shape = _bytes(1, _bytes(2, b"batch")) + _bytes(1, _number(1, width))
    return _bytes(1, label.encode()) + _bytes(2, _bytes(1, _number(1, FLOAT) + _bytes(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += struct.pack("B", value & 0x7F | 0x80)
        value >>= 7
    return found + struct.pack("B", value)
