"""Recipe: what to do to a model, in order; with its one-line grammar.

    auto | fix-shapes | ort | fp16 | int8 | int8-weights | int4-weights | int8-dynamic | int8-static
         | prune (least channels within an error), prune@0.05, prune50 (half of the channels) | distil, distil64
         | palettize4 | palettize6 | sparse50 | sparse75 (Core ML packages)
         | student | finetune | qat | to-tflite | to-mlpackage | to-pte (with the model's training script)
    chains: "prune50,int8"

`int8` is int8-static where convolutions dominate and int8-dynamic elsewhere. All mistakes are told at once. Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.errors import InvalidInputError, Problem

AUTO: Final = "auto"
MOST_STEPS: Final = 5
DEFAULT_ERROR: Final = 0.03
DEFAULT_WIDTH: Final = 64

# Where a step may stand in a chain: a later step's place is above an earlier one's.
_PLACES: Final = {
    "fix-shapes": 0,
    "distil": 1,
    "student": 1,
    "prune": 2,
    "finetune": 3,
    "qat": 4,
    "fp16": 4,
    "int8": 4,
    "int8-weights": 4,
    "int4-weights": 4,
    "int8-dynamic": 4,
    "int8-static": 4,
    "palettize4": 4,
    "palettize6": 4,
    "sparse50": 4,
    "sparse75": 4,
    "ort": 5,
    "to-tflite": 5,
    "to-mlpackage": 5,
    "to-pte": 5,
}
NAMES: Final = (AUTO, *_PLACES)
NEEDS_SCRIPT: Final = frozenset({"student", "finetune", "qat", "to-tflite", "to-mlpackage", "to-pte"})
NEEDS_INPUTS: Final = frozenset({"prune", "distil", "int8-static"}) | NEEDS_SCRIPT
_PRUNE: Final = re.compile(r"prune(?:(?P<share>\d{1,3})%?|@(?P<error>\d?(?:\.\d{1,6})?))?")
_DISTIL: Final = re.compile(r"distil(?P<width>\d{1,4})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `share` (prune): of the channels to drop; `error` (prune): largest held-out relative error of a
    repaired layer; `width` (distil): hidden units of the student; `skip` (int8-static): most sensitive layers kept in
    floating point."""

    name: str
    share: float | None = None
    error: float | None = None
    width: int | None = None
    skip: int = 0

    def __str__(self) -> str:
        if self.share is not None:
            return f"prune{round(self.share * 100)}"
        if self.error is not None and self.error != DEFAULT_ERROR:
            return f"prune@{self.error:g}"
        if self.width is not None and self.width != DEFAULT_WIDTH:
            return f"distil{self.width}"
        return f"{self.name}-skip{self.skip}" if self.skip else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Ordered steps; no steps is `auto`, the search."""

    steps: tuple[Step, ...] = ()

    @property
    def is_auto(self) -> bool:
        return not self.steps

    @property
    def needs_inputs(self) -> bool:
        """Whether it cannot run on the artifact alone."""
        return any(step.name in NEEDS_INPUTS for step in self.steps)

    @property
    def needs_script(self) -> bool:
        return any(step.name in NEEDS_SCRIPT for step in self.steps)

    def __str__(self) -> str:
        return ",".join(str(step) for step in self.steps) or AUTO


def parse_recipe(text: str) -> Recipe:
    """Read a recipe.

    Raises: InvalidInputError: with every mistake.
    """
    words = [word for word in re.split(r"[\s,+>]+", text.strip().lower()) if word]
    if not words:
        raise InvalidInputError(Problem("recipe", "name a recipe: auto, or one of " + ", ".join(NAMES[1:])))
    if words == [AUTO]:
        return Recipe()
    problems: list[Problem] = []
    if len(words) > MOST_STEPS:
        problems.append(Problem("recipe", f"has {len(words)} steps; at most {MOST_STEPS} make sense"))
        words = words[:MOST_STEPS]
    steps = [step for word in words if (step := _step(word, problems))]
    problems += _disorder(steps)
    if problems:
        raise InvalidInputError(*problems)
    return Recipe(steps=tuple(steps))


def _step(word: str, problems: list[Problem]) -> Step | None:
    if word == AUTO:
        problems.append(Problem("recipe", "auto stands alone; it makes its own chains"))
        return None
    if word.startswith("prune") and (found := _PRUNE.fullmatch(word)):
        return _prune(word, found, problems)
    if word.startswith("distil") and (found := _DISTIL.fullmatch(word)):
        width = int(found["width"] or DEFAULT_WIDTH)
        if not 4 <= width <= 1024:
            problems.append(Problem("recipe", f"{word}: a student has 4 to 1024 hidden units"))
        return Step(name="distil", width=width)
    if found := re.fullmatch(r"int8-static-skip([1-9])", word):
        return Step(name="int8-static", skip=int(found[1]))
    if word in _PLACES:
        return Step(name=word)
    near = difflib.get_close_matches(word, NAMES, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "known are " + ", ".join(NAMES)
    problems.append(Problem("recipe", f"no step {word[:40]!r}; {hint}"))
    return None


def _prune(word: str, found: re.Match[str], problems: list[Problem]) -> Step:
    if found["share"]:
        share = int(found["share"])
        if not 1 <= share <= 95:
            problems.append(Problem("recipe", f"{word}: drop 1 to 95 percent of the channels"))
        return Step(name="prune", share=share / 100)
    error = float(found["error"]) if found["error"] not in (None, "", ".") else DEFAULT_ERROR
    if not 0.0001 <= error <= 0.9:
        problems.append(Problem("recipe", f"{word}: the error of a layer lies within 0.0001 and 0.9"))
    return Step(name="prune", error=error)


def _disorder(steps: Iterable[Step]) -> list[Problem]:
    problems: list[Problem] = []
    before: Step | None = None
    for step in steps:
        if before and _PLACES[before.name] == _PLACES[step.name]:
            problems.append(Problem("recipe", f"{before} and {step} exclude one another; keep one"))
        elif before and _PLACES[before.name] > _PLACES[step.name]:
            problems.append(Problem("recipe", f"{step} must stand before {before}"))
        before = step
    return problems
