"""Reads what a registered file and its companions are, in the limited child; needs neither onnx nor ONNX Runtime.

A file that is refused gives the one sentence why, for itself alone: inputs are told of even beside a model that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.errors import InvalidInputError, Problem
from optimize import samples
from optimize.inspect import Needs, read_needs
from optimize.samples import Samples

LONGEST_SCRIPT: Final = 1_000_000
_SHOWN_OPS: Final = 60
_MOST_CLASSES: Final = 2000


def inspect(folder: Path, _params: Mapping[str, Any], _report: Callable[[str], None]) -> dict[str, Any]:
    """Return for each file that lies in `in` its facts, or why it is refused."""
    found: dict[str, Any] = {}
    needs: Needs | None = None
    for name in ("model", "eval", "calib", "train_script"):
        path = folder / "in" / name
        if not path.exists():
            continue
        content = path.read_bytes()
        try:
            if name == "model":
                needs = read_needs(content)
                facts = _needs(needs)
            elif name == "train_script":
                facts = _script(content)
            else:
                facts = _samples(content, name, needs)
            found[name] = {"facts": facts, "refused": None}
        except InvalidInputError as error:
            found[name] = {"facts": None, "refused": "; ".join(problem.message for problem in error.problems)}
    return found


def _needs(needs: Needs) -> dict[str, Any]:
    facts = asdict(needs)
    facts |= {"layout": needs.layout, "opset": needs.opset, "kinds_of_ops": len(needs.ops)}
    commonest = sorted(needs.ops.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN_OPS]
    return facts | {"ops": dict(commonest), "labels": list(needs.labels)}


def _samples(content: bytes, name: str, needs: Needs | None) -> dict[str, Any]:
    """Return what the inputs are: the contract of the preprocessing, as the file itself keeps it."""
    read = samples.read_samples(content, name=name)
    problems = samples.check_fits(read, needs.inputs[0].shape, needs.classes) if needs else []
    if problems:
        raise InvalidInputError(*problems)
    low, high = read.range
    return {
        "rows": len(read), "shape": list(read.x.shape[1:]), "dtype": str(read.x.dtype), "low": low, "high": high,
        "classes": _classes(read),
    }  # fmt: skip


def _classes(read: Samples) -> list[int] | None:
    """Return how many inputs there are of each class, in order; None without labels or with thousands of classes."""
    if read.y is None:
        return None
    if int(read.y.max()) >= _MOST_CLASSES:
        return None
    return [int(n) for n in np.bincount(read.y)]


def _script(content: bytes) -> dict[str, Any]:
    """A training script is kept for people and for the back ends that train; it is text, and never run here."""
    try:
        lines = content.decode("utf-8").count("\n") + 1 if len(content) <= LONGEST_SCRIPT else None
    except UnicodeDecodeError:
        lines = None
    if lines is None:
        raise InvalidInputError(
            Problem("train_script", f"must be a text file (UTF-8) of at most {LONGEST_SCRIPT} bytes")
        )
    return {"lines": lines}
