"""Back ends: what can carry out recipes, each behind `Backend`. Probing one imports nothing heavy."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from core.errors import Problem
from optimize.inspect import Needs
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
    """What a step may use inside the child: a folder of its own, inputs without labels, and a way to say how far."""

    folder: Path
    x: npt.NDArray[Any] | None
    report: Callable[[str], None] = field(default=lambda _sentence: None)


class Backend(Protocol):
    name: str

    def probe(self) -> Problem | None:
        """Return why it cannot run here, without a heavy import."""

    def recipes(self) -> tuple[str, ...]:
        """Return the names of the steps it carries out."""

    def applicable(self, step: Step, needs: Needs) -> Advice:
        """Judge from the file's needs alone; nothing is loaded."""

    def run(self, step: Step, content: bytes, bench: Bench) -> Made:
        """Carry the step out. Only ever called inside the limited child."""


def missing(extra: str, *modules: str) -> Problem | None:
    """Return which of the modules are not installed, and how to get them."""
    absent = [module for module in modules if not _is_installed(module)]
    if not absent:
        return None
    return Problem("backend", f"{', '.join(absent)} not installed; run: pip install --editable '.[{extra}]'")


def known() -> Mapping[str, Backend]:
    """Return every back end by name, whether it can run here or not."""
    from optimize.backends.onnxruntime import OnnxRuntime

    backends: tuple[Backend, ...] = (OnnxRuntime(),)
    return {backend.name: backend for backend in backends}


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
