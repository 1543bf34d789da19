"""The three models of the bench: made on the spot, MobileNetV3-small in the environment that has torch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from optimize import fixtures
from optimize.fixtures import Fixture

ROOT: Final = Path(__file__).resolve().parent.parent.parent
KEPT: Final = ROOT / "var" / "bench"
_FILES: Final = ("mobilenet.onnx", "eval.npz", "calib.npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model with inputs to judge and to calibrate by; `split` says which rows of the digits are held out."""

    name: str
    split: int
    model: bytes
    evaluation: bytes
    calibration: bytes


def made(name: str, split: int, torch_python: Callable[[], Path | str]) -> Case | str:
    """Return a case, or why it cannot be made here."""
    if name == "mobilenet":
        return _mobilenet(split, torch_python)
    makers: dict[str, Callable[[], Fixture]] = {
        "mlp": lambda: fixtures.mlp(split=split), "cnn": lambda: fixtures.cnn(split=split)
    }  # fmt: skip
    found = makers[name]()
    return Case(name=name, split=split, model=found.model, evaluation=found.evaluation, calibration=found.calibration)


def _mobilenet(split: int, torch_python: Callable[[], Path | str]) -> Case | str:
    """Train it once and keep it: two CPU minutes and more."""
    folder = KEPT / f"mobilenet-{split}"
    if not all((folder / name).exists() for name in _FILES):
        interpreter = torch_python()
        if isinstance(interpreter, str):
            return interpreter
        folder.mkdir(parents=True, exist_ok=True)
        print("training MobileNetV3-small …", file=sys.stderr)
        command = [str(interpreter), "-m", "bench.optimize.mobilenet", str(folder), str(split)]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    model, evaluation, calibration = ((folder / name).read_bytes() for name in _FILES)
    return Case(name="mobilenet", split=split, model=model, evaluation=evaluation, calibration=calibration)
