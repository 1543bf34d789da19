"""Runtimes beside ONNX Runtime, behind the same face (`get_inputs`, `get_outputs`, `run`): LiteRT and ExecuTorch.

Each is imported when a model of its format is opened, in the limited child.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output in ONNX Runtime's words."""

    name: str
    shape: tuple[int, ...]
    type: str


class LiteRtSession:
    """A .tflite model behind the face of an ONNX Runtime session."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    def get_inputs(self) -> list[Port]:
        return [_port(details) for details in self._inputs]

    def get_outputs(self) -> list[Port]:
        return [_port(details) for details in self._outputs]

    def run(self, names: Sequence[str] | None, feed: Mapping[str, Array]) -> list[Array]:
        """Feed the only input, whatever it is called, and return the named outputs (all, when none is named)."""
        (rows,) = feed.values()
        details = self._inputs[0]
        self._interpreter.set_tensor(details["index"], _stored(rows, details))
        self._interpreter.invoke()
        wanted = [one for one in self._outputs if names is None or one["name"] in names]
        return [_real(self._interpreter.get_tensor(one["index"]), one) for one in wanted]


def _port(details: Mapping[str, Any]) -> Port:
    is_stored = details["quantization"][0] != 0
    kind = "float" if is_stored or np.dtype(details["dtype"]).kind == "f" else np.dtype(details["dtype"]).name
    return Port(details["name"], tuple(int(size) for size in details["shape"]), f"tensor({kind})")


def _stored(rows: Array, details: Mapping[str, Any]) -> Array:
    """Return numbers as a quantized input stores them."""
    scale, zero = details["quantization"]
    if not scale or np.dtype(details["dtype"]).kind == "f":
        return rows.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    rounded: Array = np.clip(np.round(rows / scale + zero), limits.min, limits.max).astype(details["dtype"])
    return rounded


def _real(stored: Array, details: Mapping[str, Any]) -> Array:
    scale, zero = details["quantization"]
    if not scale or stored.dtype.kind == "f":
        return stored
    numbers: Array = ((stored.astype(np.float32) - zero) * scale).astype(np.float32)
    return numbers


class ExecutorchSession:
    """A .pte program behind the face of an ONNX Runtime session."""

    def __init__(self, content: bytes) -> None:
        from executorch.runtime import Runtime

        self._program = Runtime.get().load_program(content)
        self._method = self._program.load_method("forward")

    def get_inputs(self) -> list[Port]:
        return [_meta_port("input", self._method.metadata.input_tensor_meta(0))]

    def get_outputs(self) -> list[Port]:
        return [_meta_port("output", self._method.metadata.output_tensor_meta(0))]

    def run(self, _names: Sequence[str] | None, feed: Mapping[str, Array]) -> list[Array]:
        """Feed the only input, whatever it is called."""
        import torch

        (rows,) = feed.values()
        given = torch.from_numpy(np.ascontiguousarray(rows))
        return [made.numpy() for made in self._method.execute([given])]


def _meta_port(name: str, meta: Any) -> Port:
    return Port(name, tuple(int(size) for size in meta.sizes()), "tensor(float)")
