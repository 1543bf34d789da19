"""The demo's model files are real ONNX: read here by a second, smaller reader of protocol buffers."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from sandbox import tiny_onnx


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of wire types 0 and 2."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            length = varint()
            yield key >> 3, message[at : at + length]
            at += length


def all_of(message: bytes, number: int) -> list[bytes]:
    return [value for found, value in fields(message) if found == number and isinstance(value, bytes)]


@pytest.mark.parametrize("kilobytes", [4, 18, 26, 200])
def test_a_model_has_about_the_size_asked_for(kilobytes: int) -> None:
    assert len(tiny_onnx.model("kws-1.3.2", kilobytes=kilobytes)) == pytest.approx(kilobytes * 1024, rel=0.1)


def test_the_same_name_gives_the_same_bytes_and_another_name_others() -> None:
    first = tiny_onnx.model("kws-1.3.2", kilobytes=8)

    assert first == tiny_onnx.model("kws-1.3.2", kilobytes=8)
    assert first != tiny_onnx.model("kws-1.4.0", kilobytes=8)


def test_it_states_op_set_graph_and_weights_as_onnx_does() -> None:
    content = tiny_onnx.model("kws-1.3.2", kilobytes=8)

    assert dict(fields(content))[1] == tiny_onnx.IR_VERSION
    assert dict(fields(all_of(content, 8)[0]))[2] == tiny_onnx.OP_SET
    graph = all_of(content, 7)[0]
    kinds = [all_of(node, 4)[0].decode() for node in all_of(graph, 1)]
    assert kinds == ["MatMul", "Add", "Relu", "MatMul", "Softmax"]
    for tensor in all_of(graph, 5):
        dims = [value for number, value in fields(tensor) if number == 1 and isinstance(value, int)]
        weights = all_of(tensor, 9)[0]
        size = 1
        for dim in dims:
            size *= dim
        assert len(weights) == 4 * size
        assert all(-10 < value < 10 for (value,) in struct.iter_unpack("<f", weights))
