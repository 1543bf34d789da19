"""What a .tflite file needs of the app that runs it; hostile ones are refused in one sentence. Pure.

https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from optimize.flatbuffer import DamagedError, File, Table
from optimize.needs import Needs, Port
from optimize.protobuf import text
from optimize.tensors import LARGEST_ELEMENTS, RefusedError

MOST_PARTS: Final = 50_000
_MOST_GRAPHS: Final = 32
_MOST_DIMENSIONS: Final = 16
_CUSTOM: Final = 32
# TensorType: name, bits
_DTYPES: Final = (
    ("float32", 32), ("float16", 16), ("int32", 32), ("uint8", 8), ("int64", 64), ("string", 0), ("bool", 8),
    ("int16", 16), ("complex64", 64), ("int8", 8), ("float64", 64), ("complex128", 128), ("uint64", 64),
    ("resource", 0), ("variant", 0), ("uint32", 32), ("uint16", 16), ("int4", 4), ("bfloat16", 16), ("int2", 2),
    ("uint4", 4),
)  # fmt: skip
# BuiltinOperator, in order; what comes after is StableHLO, which phones do not run.
OPERATORS: Final = (
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE",
    "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP", "L2_NORMALIZATION", "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION", "LSTM", "MAX_POOL_2D", "MUL", "RELU",
    "RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH",
    "CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL", "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN", "SUB",
    "DIV", "SQUEEZE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN", "EXP", "TOPK_V2",
    "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU", "MAXIMUM", "ARG_MAX",
    "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL", "SELECT", "SLICE", "SIN",
    "TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL", "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT",
    "SHAPE", "POW", "ARG_MIN", "FAKE_QUANT", "REDUCE_PROD", "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT",
    "LOGICAL_AND", "LOGICAL_NOT", "UNPACK", "REDUCE_MIN", "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL",
    "FLOOR_MOD", "RANGE", "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS",
    "SPLIT_V", "UNIQUE", "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK", "ELU",
    "REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "IF", "WHILE",
    "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM",
    "BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM", "CALL_ONCE", "BROADCAST_TO", "RFFT2D", "CONV_3D",
    "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "REDUCE_ALL",
    "CONV_3D_TRANSPOSE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL",
    "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU", "DYNAMIC_UPDATE_SLICE", "RELU_0_TO_1",
    "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "ATAN2", "UNSORTED_SEGMENT_MIN", "SIGN",
    "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT",
)  # fmt: skip


@dataclass(slots=True)
class _Walk:
    """What has been seen so far of one file."""

    codes: list[str]
    buffers: list[memoryview]
    ops: Counter[str] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    parameters: int = 0
    weight_bytes: int = 0
    parts: int = 0


def read(content: bytes) -> Needs:
    """Read what the file needs.

    Raises: RefusedError: with the one sentence for which the file is refused.
    """
    try:
        return _read(content)
    except DamagedError as error:
        raise RefusedError(f"is a damaged .tflite file ({error})") from error


def _read(content: bytes) -> Needs:
    file = File(memoryview(content))
    model = file.root()
    walk = _Walk(codes=[_code(table) for table in model.tables(1, MOST_PARTS)], buffers=_buffers(model, file))
    ports: tuple[tuple[Port, ...], tuple[Port, ...]] | None = None
    for graph in model.tables(2, _MOST_GRAPHS):
        found = _graph(graph, walk)
        ports = ports or found
    if ports is None or not walk.ops:
        raise RefusedError("has no operators")
    if not ports[0] or not ports[1]:
        raise RefusedError("has no input or no output")
    return Needs(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        ir_version=model.number(0, "<I"),
        producer=text(model.bytes(3), 60),
        opsets={},
        ops=dict(sorted(walk.ops.items())),
        inputs=ports[0],
        outputs=ports[1],
        parameters=walk.parameters,
        weight_bytes=walk.weight_bytes,
        weight_dtypes=dict(walk.dtypes),
        hints={},
        labels=(),
        runtime="tflite",
    )


def _code(table: Table) -> str:
    number = max(table.number(0, "<b"), table.number(3, "<i"))
    if number == _CUSTOM:
        raise RefusedError(f"uses the custom operator {text(table.bytes(1), 80)!r}, which phones do not have")
    if not 0 <= number < len(OPERATORS):
        raise RefusedError(f"uses an operator that is not known here (number {number})")
    return OPERATORS[number]


def _buffers(model: Table, file: File) -> list[memoryview]:
    """Return each buffer; large files keep them behind the tables, by offset and size."""
    found = []
    for table in model.tables(4, 4 * MOST_PARTS):
        offset, size = table.number(1, "<Q"), table.number(2, "<Q")
        if offset > 1 and offset + size > len(file.content):
            raise RefusedError("keeps weights outside of the file; send one single file")
        found.append(file.content[offset : offset + size] if offset > 1 else table.bytes(0))
    return found


def _graph(graph: Table, walk: _Walk) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    ports = [_tensor(table, walk) for table in graph.tables(0, MOST_PARTS)]
    for node in graph.tables(3, MOST_PARTS):
        walk.parts += 1
        index = node.number(0, "<I")
        if index >= len(walk.codes) or walk.parts > MOST_PARTS:
            raise RefusedError(f"has more than {MOST_PARTS:,} operators, or one that it does not declare")
        used = (*node.integers(1, MOST_PARTS), *node.integers(2, MOST_PARTS))
        if any(not -1 <= place < len(ports) for place in used):
            raise RefusedError("has an operator that reads a tensor which is not there")
        walk.ops[walk.codes[index]] += 1
    sides = (graph.integers(1, MOST_PARTS), graph.integers(2, MOST_PARTS))
    if any(not 0 <= place < len(ports) for side in sides for place in side):
        raise RefusedError("names an input or output which is not there")
    return tuple(ports[place] for place in sides[0]), tuple(ports[place] for place in sides[1])


def _tensor(table: Table, walk: _Walk) -> Port:
    name, shape, kind = text(table.bytes(3)), table.integers(0), table.number(1, "<b")
    if not 0 <= kind < len(_DTYPES):
        raise RefusedError(f"gives {name!r} an unknown type ({kind})")
    if len(shape) > _MOST_DIMENSIONS or any(size < 0 for size in shape):
        raise RefusedError(f"gives {name!r} an impossible shape")
    elements = math.prod(shape)
    if elements > LARGEST_ELEMENTS:
        raise RefusedError(f"declares {name!r} with {elements:,} elements; at most {LARGEST_ELEMENTS:,}")
    dtype, bits = _DTYPES[kind]
    place = table.number(2, "<I")
    if place >= len(walk.buffers):
        raise RefusedError(f"keeps {name!r} in a buffer which is not there")
    _weights(name, dtype, (elements * bits + 7) // 8, walk.buffers[place], walk)
    signature = table.integers(7) or shape
    return Port(name=name, dtype=dtype, shape=tuple(size if size >= 0 else "?" for size in signature))


def _weights(name: str, dtype: str, expected: int, raw: memoryview, walk: _Walk) -> None:
    """Count a tensor's constant, when it has one, and hold it against what it declares."""
    if not len(raw) or not expected:
        return
    if len(raw) != expected:
        raise RefusedError(f"declares {expected:,} bytes for {name!r} and brings {len(raw):,}")
    if dtype in ("float32", "float16") and np.isnan(np.frombuffer(raw, dtype)).any():
        raise RefusedError(f"holds weights that are not numbers (NaN) in {name!r}")
    elements = expected // np.dtype(dtype).itemsize if dtype in ("float32", "float16", "int8") else expected
    walk.weight_bytes += expected
    walk.dtypes[dtype] += elements
    walk.parameters += elements if dtype in ("float32", "float16", "int8", "int4", "uint8") else 0
