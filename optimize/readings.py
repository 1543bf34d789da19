"""From what the child found to benchmarks, ratios and comparisons; and on what machine, with what tools."""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from optimize.benchmark import Benchmark, Ratio, latency, ratio
from optimize.evaluate import Comparison
from optimize.inspect import read_needs
from optimize.needs import format_of

_TOOLS: Final = (
    "onnx", "onnxruntime", "numpy", "scikit-learn", "ai-edge-litert", "ai-edge-quantizer", "coremltools", "torch",
    "litert-torch", "executorch",
)  # fmt: skip
_FLAGS: Final = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "neon", "asimd", "asimddp", "i8mm")


def versions() -> dict[str, str]:
    """Return what was used, as installed; empty names are left out."""
    found = {}
    for name in _TOOLS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cpu() -> str:
    """Return the processor's name and the flags that matter to int8."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    pairs = {key.strip(): value.strip() for key, value in facts.items()}
    flags = (pairs.get("flags") or pairs.get("Features") or "").split()
    return " ".join([pairs.get("model name", "unknown"), *(flag for flag in _FLAGS if flag in flags)])


def measured(content: bytes, weighed: Mapping[str, Any], times: list[list[int]] | None) -> Benchmark:
    """Return the benchmark of a file from the tasks `weigh` and `clock`."""
    return Benchmark(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        gzip_bytes=len(gzip.compress(content, 6, mtime=0)),
        latency=latency([nanoseconds for sitting in times for nanoseconds in sitting]) if times else None,
        load_ms=weighed["load_ms"],
        memory_bytes=weighed["memory_bytes"],
        macs=weighed["macs"],
        parameters=read_needs(content).parameters if format_of(content) in ("onnx", "tflite") else None,
    )


def pair_ratio(times: Mapping[str, list[list[int]]]) -> Ratio:
    """Return the ratio of what the task `clock` took."""
    return ratio(times["before"], times["after"], times["copy"])


def part_of(parts: Mapping[str, Any], part: str) -> Comparison | None:
    """Return one part of what the task `judge` found."""
    return Comparison.read(parts[part]) if part in parts else None
