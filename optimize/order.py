"""Order: what was asked of a job; Plan: the same, checked as far as that goes without running anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from core.errors import InvalidInputError, Problem
from optimize import samples
from optimize.backends import find
from optimize.budgets import DEFAULT, Budget, parse_budget
from optimize.fixtures import npz
from optimize.inspect import read_needs
from optimize.needs import Needs
from optimize.recipes import Recipe
from optimize.runner import Limits

LARGEST_SCRIPT: Final = 1_000_000
_STEPS_OF_AUTO: Final = 44
_STEPS_AROUND: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for. `evaluation`: npz with x and perhaps y; `calibration`: npz with x of other inputs. Without
    calibration a quarter of the evaluation's inputs serves for it and only the rest is judged.

    `name`: of the file, for the command that repeats the job. `runtime`: what the app runs models with. `train_script`:
    Python that defines net(), and perhaps student(); it runs in the limited child only (docs/optimize.md).
    """

    model: bytes
    recipe: Recipe
    budget: Budget = field(default_factory=lambda: parse_budget(DEFAULT))
    evaluation: bytes | None = None
    calibration: bytes | None = None
    train_script: bytes | None = None
    name: str = "model.onnx"
    runtime: str | None = None
    limits: Limits = field(default_factory=Limits)
    most_cpu_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The order, checked. `inputs`: the files each child gets; `part`: of the evaluation's inputs that may judge."""

    order: Order
    needs: Needs
    inputs: Mapping[str, bytes]
    part: str
    about_steps: int


def plan(order: Order) -> Plan:
    """Check the files and the recipe.

    Raises: InvalidInputError: with every problem.
    """
    problems: list[Problem] = []
    needs = _read(lambda: read_needs(order.model), problems)
    evaluation = _read(lambda: samples.read_samples(order.evaluation or b""), problems) if order.evaluation else None
    if order.calibration:
        _read(lambda: samples.read_samples(order.calibration or b"", name="calibration"), problems)
    if needs and evaluation:
        problems += samples.check_fits(evaluation, needs.inputs[0].shape, needs.classes)
    if needs and not order.recipe.is_auto:
        has_inputs = bool(order.evaluation or order.calibration)
        problems += why_not(order.recipe, needs, has_inputs=has_inputs, has_script=bool(order.train_script))
    if len(order.train_script or b"") > LARGEST_SCRIPT:
        problems.append(Problem("train_script", f"is larger than {LARGEST_SCRIPT:,} bytes; it is a script, not data"))
    if order.recipe.is_auto and evaluation is None:
        problems.append(Problem("eval", "auto judges what it tries: send an npz with x (and y)"))
    if problems:
        raise InvalidInputError(*problems)
    assert needs is not None
    inputs, part = _inputs(order, evaluation)
    about = (_STEPS_OF_AUTO if order.recipe.is_auto else 1) + _STEPS_AROUND
    return Plan(order=order, needs=needs, inputs=inputs, part=part, about_steps=about)


def why_not(recipe: Recipe, needs: Needs, *, has_inputs: bool, has_script: bool = False) -> list[Problem]:
    problems = []
    if recipe.needs_inputs and not has_inputs:
        problems.append(Problem("recipe", f"{recipe} needs inputs: send an npz with an array x"))
    if recipe.needs_script and not has_script:
        problems.append(Problem("recipe", f"{recipe} needs the model's training script: register the model with one"))
    for step in recipe.steps:
        backend = find(step, needs)
        if isinstance(backend, Problem):
            problems.append(backend)
        elif not (verdict := backend.applicable(step, needs)).applies:
            problems.append(Problem("recipe", f"{step} does not apply: {verdict.reason}"))
    return problems


def _inputs(order: Order, evaluation: samples.Samples | None) -> tuple[dict[str, bytes], str]:
    """Return the files each child gets, and the part of the evaluation that may be judged."""
    files = {"model": order.model}
    if order.train_script:
        files["train.py"] = order.train_script
    part = "whole"
    if order.evaluation:
        files["eval.npz"] = order.evaluation
    if order.calibration:
        files["calibration.npz"] = order.calibration
    elif evaluation is not None:
        files["calibration.npz"] = npz(x=evaluation.parts()[0].x)
        part = "confirm" if order.recipe.needs_inputs else "whole"
    return files, part


def _read(reader: Callable[[], Any], problems: list[Problem]) -> Any:
    try:
        return reader()
    except InvalidInputError as error:
        problems += error.problems
        return None
