""".tflite files written field by field, so that reading them is tested without the extra that makes them."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FULLY_CONNECTED, CUSTOM = 9, 32
_FLOAT32, _RELU, _OPTIONS = 0, 1, 8


def a_tflite(
    first: Array, last: Array, *, operator: int = FULLY_CONNECTED, brought: int = 0, shape: tuple[int, ...] = (),
    has_signature: bool = True,
) -> bytes:  # fmt: skip
    """Return a perceptron of two layers with ReLU between. `brought`: bytes by which the first weight is short;
    `shape`: what it claims instead of its own."""
    arrays = [first, np.zeros(len(first), np.float32), last, np.zeros(len(last), np.float32)]
    file = flatbuffers.Builder(1024)
    buffers = [_buffer(file, b"")]
    for place, array in enumerate(arrays):
        raw = array.tobytes()
        buffers.append(_buffer(file, raw[: len(raw) - brought] if place == 0 else raw))
    shapes = [(1, first.shape[1]), *(array.shape for array in arrays), (1, len(first)), (1, len(last))]
    shapes[1] = shape or shapes[1]
    holders = [0, 1, 2, 3, 4, 0, 0]
    names = ["x", "first", "first_bias", "last", "last_bias", "hidden", "y"]
    tensors = [_tensor(file, *facts) for facts in zip(names, shapes, holders, strict=True)]
    layers = [_layer(file, (0, 1, 2), 5, _RELU), _layer(file, (5, 3, 4), 6, 0)]
    parts = (_list(file, tensors), _numbers(file, (0,)), _numbers(file, (6,)), _list(file, layers))
    graph = _table(file, [(place, "ref", part) for place, part in enumerate(parts)])
    name = file.CreateString("Evil") if operator == CUSTOM else 0
    code = _table(file, [(0, "int8", operator), (3, "int32", operator)] + ([(1, "ref", name)] if name else []))
    description = file.CreateString("by hand")
    fields = [(1, "ref", _list(file, [code])), (2, "ref", _list(file, [graph])), (3, "ref", description)]
    signature = _signature(file) if has_signature else 0
    fields += [(7, "ref", _list(file, [signature]))] if signature else []
    root = _table(file, [(0, "uint32", 3), *fields, (4, "ref", _list(file, buffers))])
    file.Finish(root, b"TFL3")
    return bytes(file.Output())


def _table(file: Any, fields: list[tuple[int, str, int]]) -> int:
    file.StartObject(9)
    for number, kind, value in fields:
        match kind:
            case "ref":
                file.PrependUOffsetTRelativeSlot(number, value, 0)
            case "int8":
                file.PrependInt8Slot(number, value, 0)
            case "int32":
                file.PrependInt32Slot(number, value, 0)
            case _:
                file.PrependUint32Slot(number, value, 0)
    place: int = file.EndObject()
    return place


def _buffer(file: Any, raw: bytes) -> int:
    if not raw:
        return _table(file, [])
    file.StartVector(1, len(raw), 16)
    file.head -= len(raw)
    file.Bytes[file.head : file.head + len(raw)] = raw
    return _table(file, [(0, "ref", file.EndVector())])


def _tensor(file: Any, name: str, shape: tuple[int, ...], buffer: int) -> int:
    said, sizes = file.CreateString(name), _numbers(file, shape)
    return _table(file, [(0, "ref", sizes), (1, "int8", _FLOAT32), (2, "uint32", buffer), (3, "ref", said)])


def _layer(file: Any, reads: tuple[int, ...], makes: int, activation: int) -> int:
    options = _table(file, [(0, "int8", activation)])
    given, made = _numbers(file, reads), _numbers(file, (makes,))
    return _table(
        file, [(0, "uint32", 0), (1, "ref", given), (2, "ref", made), (3, "int8", _OPTIONS), (4, "ref", options)]
    )


def _signature(file: Any) -> int:
    ports = []
    for name, tensor in (("x", 0), ("y", 6)):
        said = file.CreateString(name)
        ports.append(_list(file, [_table(file, [(0, "ref", said), (1, "uint32", tensor)])]))
    key = file.CreateString("serving_default")
    return _table(file, [(0, "ref", ports[0]), (1, "ref", ports[1]), (2, "ref", key)])


def _numbers(file: Any, values: tuple[int, ...]) -> int:
    file.StartVector(4, len(values), 4)
    for value in reversed(values):
        file.PrependInt32(value)
    place: int = file.EndVector()
    return place


def _list(file: Any, places: list[int]) -> int:
    file.StartVector(4, len(places), 4)
    for place in reversed(places):
        file.PrependUOffsetTRelative(place)
    made: int = file.EndVector()
    return made
