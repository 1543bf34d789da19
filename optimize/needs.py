"""Needs: what a model file needs of the app that runs it, whatever its format. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Format = Literal["onnx", "ort", "tflite", "mlpackage", "pte"]
ZIP: Final = b"PK\x03\x04"


def format_of(content: bytes) -> Format:
    """Return what the first bytes say the file is; what they do not know is taken for ONNX, whose reader refuses it."""
    if content[4:8] == b"ORTM":
        return "ort"
    if content[4:7] == b"TFL":
        return "tflite"
    if content[4:8] in (b"ET12", b"ET13", b"ET14"):
        return "pte"
    return "mlpackage" if content[:4] == ZIP else "onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output. A dimension is a number, or a name when it varies."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    @property
    def is_fixed(self) -> bool:
        return all(isinstance(size, int) for size in self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """`runtime`: the file's format. `ops` counts nodes by name ("com.microsoft:MatMulNBits" outside the standard);
    `hints` are session settings that the app must make (`muster.session.*`); `labels` the classes when the file names
    them."""

    sha256: str
    size_bytes: int
    ir_version: int
    producer: str
    opsets: Mapping[str, int]
    ops: Mapping[str, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: int
    weight_bytes: int
    weight_dtypes: Mapping[str, int]
    hints: Mapping[str, str]
    labels: tuple[str, ...]
    runtime: Format = "onnx"

    @property
    def opset(self) -> int:
        return self.opsets.get("", 0)

    @property
    def classes(self) -> int | None:
        """How many classes the scores tell apart, None where the file leaves that open; one score tells two."""
        shape = self.outputs[0].shape if self.outputs else ()
        width = shape[1] if len(shape) == 2 else None
        return max(width, 2) if isinstance(width, int) and width > 0 else None

    @property
    def layout(self) -> str:
        """Of the first input: NCHW, NHWC, flat or other."""
        shape = self.inputs[0].shape if self.inputs else ()
        if len(shape) == 4:
            return "NHWC" if shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4) else "NCHW"
        return "flat" if len(shape) == 2 else "other"
