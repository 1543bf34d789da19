"""One tensor of an ONNX file, checked against what it claims before anything allocates for it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from optimize.protobuf import BYTES, VARINT, fields, integers, text

LARGEST_ELEMENTS: Final = 1 << 28
_MOST_DIMENSIONS: Final = 16
# https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (TensorProto.DataType): name, bits
_DTYPES: Final[dict[int, tuple[str, int]]] = {
    1: ("float32", 32), 2: ("uint8", 8), 3: ("int8", 8), 4: ("uint16", 16), 5: ("int16", 16), 6: ("int32", 32),
    7: ("int64", 64), 8: ("string", 0), 9: ("bool", 8), 10: ("float16", 16), 11: ("float64", 64), 12: ("uint32", 32),
    13: ("uint64", 64), 14: ("complex64", 64), 15: ("complex128", 128), 16: ("bfloat16", 16), 17: ("float8", 8),
    18: ("float8", 8), 19: ("float8", 8), 20: ("float8", 8), 21: ("uint4", 4), 22: ("int4", 4),
}  # fmt: skip
_TYPED_FIELDS: Final = {4: 4, 10: 8}  # float_data, double_data: bytes of an element; packed
_FLOATS: Final = {"float16": np.float16, "float32": np.float32, "float64": np.float64}
_GROWING: Final = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1, "RandomNormal": 0, "RandomUniform": 0}


class RefusedError(Exception):
    """The sentence for which a file is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """`small` holds the values of integer tensors of at most 16 elements (shapes, repeats)."""

    name: str
    dtype: str
    elements: int
    size_bytes: int
    is_float: bool
    small: tuple[int, ...] = ()


def dtype_name(number: int) -> str:
    return _DTYPES.get(number, ("other", 0))[0]


def read(message: memoryview) -> Tensor:
    """Read one TensorProto.

    Raises: RefusedError: it claims more or less than it brings, points outside the file or holds NaN.
    """
    shape, kind, name, raw, typed = list[int](), 0, "", None, 0
    floats: list[memoryview] = []
    whole: list[int] = []
    for number, wire_type, value, inner in fields(message):
        if number == 1:
            shape += integers(wire_type, value, inner)
        elif number == 2 and wire_type == VARINT:
            kind = value
        elif number == 8:
            name = text(inner)
        elif number == 9:
            raw = inner
        elif number == 13 or (number == 14 and value != 0):
            raise RefusedError(
                f"keeps {name or 'a tensor'!r} outside of the file (external data); send one single file"
            )
        elif number in _TYPED_FIELDS and wire_type == BYTES:
            typed += len(inner) // _TYPED_FIELDS[number]
            floats.append(inner)
        elif number in (4, 10):
            typed += 1
        elif number in (5, 7, 11):
            values = list(integers(wire_type, value, inner))
            typed += len(values)
            whole += values[:16]
        elif number == 6:
            typed += 1
    elements = _elements(name, shape, kind)
    bits = _DTYPES[kind][1]
    _check_size(name, elements, bits, raw, typed)
    dtype = _DTYPES[kind][0]
    _check_numbers(name, dtype, raw, floats)
    if raw is not None and dtype == "int64" and elements <= 16:
        whole = [int(number) for number in np.frombuffer(raw, "<i8")]
    return Tensor(
        name=name,
        dtype=dtype,
        elements=elements,
        size_bytes=(elements * bits + 7) // 8,
        is_float="float" in dtype,
        small=tuple(whole) if elements <= 16 else (),
    )


def check_growth(op: str, inputs: Sequence[str], initializers: Mapping[str, Tensor]) -> None:
    """Refuse operators that a constant tells to make something enormous of nothing.

    A 131-byte file with ConstantOfShape asks for 40 GB. What cannot be seen here runs into the child's limits.
    """
    place = _GROWING.get(op)
    if place is None or place >= len(inputs) or inputs[place] not in initializers:
        return
    sizes = [abs(size) for size in initializers[inputs[place]].small]
    if math.prod(size or 1 for size in sizes) > LARGEST_ELEMENTS:
        raise RefusedError(f"asks {op} for {math.prod(sizes):,} elements; at most {LARGEST_ELEMENTS:,} are allowed")


def _elements(name: str, shape: Sequence[int], kind: int) -> int:
    if kind not in _DTYPES:
        raise RefusedError(f"gives {name or 'a tensor'!r} an unknown type ({kind})")
    if len(shape) > _MOST_DIMENSIONS or any(size < 0 for size in shape):
        raise RefusedError(f"gives {name or 'a tensor'!r} an impossible shape")
    elements = math.prod(shape)
    if elements > LARGEST_ELEMENTS:
        raise RefusedError(f"declares {name or 'a tensor'!r} with {elements:,} elements; at most {LARGEST_ELEMENTS:,}")
    return elements


def _check_size(name: str, elements: int, bits: int, raw: memoryview | None, typed: int) -> None:
    expected = (elements * bits + 7) // 8
    packed = typed if bits != 4 else typed * 2
    if raw is not None and len(raw) != expected:
        raise RefusedError(f"declares {expected:,} bytes for {name or 'a tensor'!r} and brings {len(raw):,}")
    if raw is None and not (packed in (elements, elements + 1) if bits == 4 else typed in (elements, elements * 2)):
        raise RefusedError(f"declares {elements:,} elements for {name or 'a tensor'!r} and brings {typed:,}")


def _check_numbers(name: str, dtype: str, raw: memoryview | None, floats: Sequence[memoryview]) -> None:
    kind = _FLOATS.get(dtype)
    if kind is None:
        return
    for part in (raw,) if raw is not None else floats:
        if np.isnan(np.frombuffer(part, kind)).any():
            raise RefusedError(f"holds weights that are not numbers (NaN) in {name or 'a tensor'!r}")
