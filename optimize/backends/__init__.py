"""Back ends: what can carry out recipes, each behind `Backend`. Probing one imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from core.errors import Problem
from optimize.needs import Format, Needs
from optimize.recipes import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Whether a step makes sense for a model, and a sentence why (not)."""

    applies: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a step made: the new model and sentences for the report card."""

    model: bytes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a step may use inside the child: a folder of its own, inputs without labels, the text of the registered
    training script, the model that the whole chain started from (the teacher), and a way to say how far."""

    folder: Path
    x: npt.NDArray[Any] | None
    script: bytes | None = None
    teacher: bytes | None = None
    report: Callable[[str], None] = field(default=lambda _sentence: None)


class Backend(Protocol):
    name: str
    takes: Format

    def probe(self) -> Problem | None:
        """Return why it cannot run here, without a heavy import."""

    def recipes(self) -> tuple[str, ...]:
        """Return the names of the steps it carries out."""

    def applicable(self, step: Step, needs: Needs) -> Advice:
        """Judge from the file's needs alone; nothing is loaded."""

    def run(self, step: Step, content: bytes, bench: Bench) -> Made:
        """Carry the step out. Only ever called inside the limited child."""


def known() -> Mapping[str, Backend]:
    """Return every back end by name, whether it can run here or not."""
    from optimize.backends.coreml import CoreMl
    from optimize.backends.litert import LiteRt
    from optimize.backends.onnxruntime import OnnxRuntime
    from optimize.backends.train import Train

    backends: tuple[Backend, ...] = (OnnxRuntime(), LiteRt(), CoreMl(), Train())
    return {backend.name: backend for backend in backends}


def find(step: Step, needs: Needs) -> Backend | Problem:
    """Return the back end that carries out this step on a model of this format, or why there is none."""
    able = [backend for backend in known().values() if step.name in backend.recipes()]
    fitting = next((backend for backend in able if backend.takes == needs.runtime), None)
    if fitting is not None:
        return fitting.probe() or fitting
    formats = " or ".join(dict.fromkeys(backend.takes for backend in able)) or "nothing here"
    return Problem("recipe", f"{step} does not apply: it takes {formats}, and this is {needs.runtime}")
