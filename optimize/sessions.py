"""Sessions from bytes, single-threaded and silent, whatever the format. Only for the limited child.

All give what ONNX Runtime's sessions give: `get_inputs`, `get_outputs`, `run(names, feed)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Imported only in the child, whose environment sets ORT_DISABLE_TELEMETRY before this import.
import onnxruntime

from optimize.extras import lacks
from optimize.needs import format_of
from optimize.runtimes import ExecutorchSession, LiteRtSession

HINTS = frozenset({"session.disable_quant_qdq"})
_RUNTIMES = {"tflite": "ai_edge_litert", "pte": "executorch"}


def runs_here(content: bytes) -> bool:
    """Whether this machine can run a model of this format: Core ML packages run on Apple's alone."""
    kind = format_of(content)
    return kind != "mlpackage" and not lacks(_RUNTIMES.get(kind, "onnxruntime"))


def open_session(content: bytes, *, device_like: bool = False, hints: Mapping[str, str] | None = None) -> Any:
    """Load a model from its bytes; a path would let it follow hard links and external data.

    `device_like` (ONNX): without graph optimizations and fused int8 kernels, as phones compute; x86 kernels without
    VNNI saturate and judge int8 too harshly. LiteRT and ExecuTorch compute by XNNPACK here as on phones.
    """
    match format_of(content):
        case "tflite":
            return LiteRtSession(content)
        case "pte":
            return ExecutorchSession(content)
        case _:
            return _onnx(content, device_like=device_like, hints=hints or {})


def _onnx(content: bytes, *, device_like: bool, hints: Mapping[str, str]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if device_like:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if content[4:8] == b"ORTM":
        options.add_session_config_entry("session.load_model_format", "ORT")
    for key, value in hints.items():
        if key in HINTS and value in ("0", "1"):
            options.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def save_as_ort(content: bytes, path: str) -> None:
    """Write the model in ORT format, optimized as far as any device allows."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = path
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
