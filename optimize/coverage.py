"""Which part of a model the accelerators of phones can run, found out offline; for the limited child.

Core ML and NNAPI by the tables that ship with ONNX Runtime, XNNPACK by its documentation. By operator type and shape
only: caveats of single operators can still send a node back to the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import onnx

from optimize import graph as graphs

# https://onnxruntime.ai/docs/execution-providers/Xnnpack-ExecutionProvider.html#supported-ops
_XNNPACK: Final = frozenset(
    {"Conv", "ConvTranspose", "AveragePool", "MaxPool", "Softmax", "QLinearConv", "QLinearAveragePool",
     "QLinearSoftmax", "Resize", "Gemm", "MatMul", "GlobalAveragePool", "Relu", "Clip", "HardSwish",
     "QuantizeLinear", "DequantizeLinear"}
)  # fmt: skip


def measure(content: bytes) -> dict[str, Any]:
    """Return for each accelerator nodes, covered, partitions and the operators left out, of the model as it is and,
    when its shapes vary, with fixed ones."""
    if content[4:8] == b"ORTM":
        return {}
    model = onnx.load_model_from_string(content)
    return {"as is": _coverage(model), "fixed": _coverage(_fixed(content))}


def _coverage(model: onnx.ModelProto) -> dict[str, Mapping[str, Any]]:
    from onnxruntime.tools.mobile_helpers import usability_checker as checker

    inferred = onnx.shape_inference.infer_shapes(model)
    if not inferred.graph.value_info:
        inferred.graph.value_info.add().name = "unused"
    tables = Path(checker.__file__).parent
    found = {
        "coreml": checker.check_coreml_partitions(inferred, True, "coreml_supported_mlprogram_ops.md"),
        "nnapi": checker.check_nnapi_partitions(inferred, True)
        if (tables / "nnapi_supported_ops.md").exists()
        else None,
        "xnnpack": checker.check_partitioning(inferred.graph, _Table(_XNNPACK), True),
    }
    return {
        name: {
            "nodes": facts.num_nodes,
            "covered": facts.num_supported_nodes,
            "partitions": facts.num_partitions,
            "left_out": sorted(name.removeprefix("ai.onnx:") for name in facts.unsupported_ops),
        }
        for name, facts in found.items()
        if facts is not None
    }


def _fixed(content: bytes) -> onnx.ModelProto:
    model = onnx.load_model_from_string(content)
    graphs.fix_batch(model)
    return model


class _Table:
    """What check_partitioning asks of a table of operators."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def is_op_supported(self, node: onnx.NodeProto) -> bool:
        return node.domain in ("", "ai.onnx") and node.op_type in self._names

    def get_caveats(self) -> list[str]:
        return []
