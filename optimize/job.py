"""A job: one model, one recipe or the search over recipes, one report card; resumable after each candidate.

`order.plan` checks what can be checked without running anything. `steps` yields Progress and ends with a Result; what a
step finds out is on the shelf before the next begins, so another process may go on. Equal orders give equal variants.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from optimize import report_card, runner, search
from optimize.forecast import Expected
from optimize.order import Plan, why_not
from optimize.readings import cpu, measured, pair_ratio, part_of, versions
from optimize.recipes import Recipe
from optimize.report_card import Evidence, Origin, ReportCard
from optimize.runner import Failed, Finished
from optimize.search import Tried
from optimize.shelf import Shelf

# Raised when a recipe makes other bytes of the same inputs than before: then earlier candidates are not reused.
REVISION: Final = 2
_KEPT_BACK: Final = 2
_THOROUGH: Final = {"sittings": 10, "rounds": 100}
_QUICK: Final = {"sittings": 6, "rounds": 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Step `step` of about `of`; `tried` is the table so far."""

    step: int
    of: int
    seconds: float
    sentence: str
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`variant`: the SHA-256 of the file on the shelf. Without a card, `sentence` says why there is none."""

    sentence: str
    card: ReportCard | None
    variant: str | None
    recipe: str
    tried: tuple[Tried, ...]
    cpu_s: float


def steps(
    planned: Plan, shelf: Shelf, *, is_cancelled: Callable[[], bool] = lambda: False
) -> Generator[Progress, None, Result]:
    """Carry the plan out; candidates that the shelf knows are not made again. The generator returns the Result."""
    return (yield from _Job(planned, shelf, is_cancelled).steps())


def run(planned: Plan, shelf: Shelf, *, on_progress: Callable[[Progress], None] = lambda _progress: None) -> Result:
    """Carry the plan out to its end."""
    going = steps(planned, shelf)
    while True:
        try:
            on_progress(next(going))
        except StopIteration as ended:
            result: Result = ended.value
            return result


class _Job:
    def __init__(self, planned: Plan, shelf: Shelf, is_cancelled: Callable[[], bool]) -> None:
        self.plan, self.shelf, self.is_cancelled = planned, shelf, is_cancelled
        self.order = planned.order
        self.tried: dict[str, Tried] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.cpu_s, self.done, self.started = 0.0, 0, time.monotonic()
        self.inputs_sha = {name: hashlib.sha256(content).hexdigest() for name, content in planned.inputs.items()}

    def steps(self) -> Generator[Progress, None, Result]:
        yield self._progress("reading the model")
        described = self._task("describe", {}, {})
        if isinstance(described, Failed):
            return self._end(f"the model {described.sentence}")
        if self.order.recipe.is_auto:
            chosen = yield from self._search()
        else:
            yield self._progress(f"trying {self.order.recipe}")
            chosen = self._try(self.order.recipe)
        if chosen is None or chosen.sentence:
            return self._end(self._why_nothing(chosen))
        yield self._progress(f"measuring {chosen.recipe}")
        card = self._card(chosen)
        if isinstance(card, Failed):
            return self._end(f"{chosen.recipe} {card.sentence}")
        return self._end(card.summary, card, self.facts[chosen.recipe]["variant"], chosen.recipe)

    def _search(self) -> Generator[Progress, None, Tried | None]:
        space = search.Space(
            applies=lambda recipe: not why_not(recipe, self.plan.needs, has_inputs=True),
            has_inputs=True,
            margin=self.order.budget.margin,
        )
        dearest_s = 0.0
        # Time for the report card is kept back: it is another candidate or two.
        while self.cpu_s + _KEPT_BACK * dearest_s < self.order.most_cpu_s and not self.is_cancelled():
            recipe = search.next_recipe(space, self.tried)
            if recipe is None:
                break
            yield self._progress(f"trying {recipe}")
            spent_s = self.cpu_s
            self._try(recipe)
            dearest_s = max(dearest_s, self.cpu_s - spent_s)
        return search.choose(list(self.tried.values()), self.order.budget)

    def _try(self, recipe: Recipe) -> Tried:
        """Make, judge and time one candidate, or recall it."""
        name = str(recipe)
        timing = _QUICK if self.order.recipe.is_auto else _THOROUGH
        outcome = self._task("candidate", {"recipe": name, **timing}, {})
        if isinstance(outcome, Failed):
            tried = Tried(recipe=name, sentence=outcome.sentence)
        else:
            self.facts[name] = outcome
            parts = (outcome["judged"] or {}).get("device", {})
            tried = Tried(
                recipe=name,
                size_bytes=len(self.shelf.get(outcome["variant"])),
                ratio=pair_ratio(outcome["times"]) if outcome["times"] else None,
                select=part_of(parts, "select"),
                confirm=part_of(parts, "confirm"),
                expected=Expected.read(outcome["judged"]["expected"]) if outcome["judged"] else None,
            )
        self.tried[name] = tried
        return tried

    def _card(self, chosen: Tried) -> ReportCard | Failed:
        facts = self.facts[chosen.recipe]
        variant = {"variant": self.shelf.get(facts["variant"])}
        before = self._task("weigh", {"which": "model"}, {})
        after = self._task("weigh", {"which": "variant"}, variant)
        timed = self._task("clock", _THOROUGH, variant) if self.order.recipe.is_auto else facts
        for outcome in (before, after, timed):
            if isinstance(outcome, Failed):
                return outcome
        assert not isinstance(before, Failed)
        assert not isinstance(after, Failed)
        assert not isinstance(timed, Failed)
        judged, times = facts["judged"] or {}, timed["times"]
        part = "confirm" if self.order.recipe.is_auto else self.plan.part
        evidence = Evidence(
            device=part_of(judged.get("device", {}), part),
            native=part_of(judged.get("native", {}), part),
            ratio=pair_ratio(times) if times else None,
            coverage={"before": before["coverage"], "after": after["coverage"]},
        )
        return report_card.grade(
            measured(self.order.model, before, times["before"] if times else None),
            measured(variant["variant"], after, times["after"] if times else None),
            self.order.budget,
            evidence=evidence,
            origin=self._origin(chosen.recipe, tuple(facts["notes"])),
        )

    def _task(self, task: str, params: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any] | Failed:
        """Run a task in the limited child, or recall what it found; what is cancelled or ran out is not kept."""
        shas = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        key = {"task": task, "params": dict(params), "files": self.inputs_sha | shas, "versions": versions()}
        known_facts = self.shelf.recall(key | {"revision": REVISION})
        if known_facts is not None:
            self.cpu_s += known_facts["cpu_s"]
            refused = known_facts.get("refused")
            return Failed(why="refused", sentence=refused) if refused else known_facts
        allowed = {**self.plan.inputs, **files}
        outcome = runner.run(task, allowed, params, limits=self.order.limits, is_cancelled=self.is_cancelled)
        self.cpu_s += outcome.cpu_s
        if isinstance(outcome, Failed):
            if outcome.why == "refused":
                facts: dict[str, Any] = {"refused": outcome.sentence, "cpu_s": outcome.cpu_s}
                self.shelf.note(key | {"revision": REVISION}, facts)
            return outcome
        facts = {**outcome.result, "cpu_s": outcome.cpu_s, **self._kept(outcome)}
        self.shelf.note(key | {"revision": REVISION}, facts)
        return facts

    def _kept(self, outcome: Finished) -> dict[str, str]:
        return {name: self.shelf.put(content) for name, content in outcome.files.items()}

    def _origin(self, recipe: str, notes: tuple[str, ...]) -> Origin:
        files = f" --eval {'eval.npz'}" if self.order.evaluation else ""
        files += " --calib calib.npz" if self.order.calibration else ""
        command = (
            f'muster model optimize-local {self.order.name}{files} --recipe {recipe} --budget "{self.order.budget}"'
        )
        return Origin(
            parent=self.plan.needs.sha256,
            recipe=recipe,
            command=command,
            versions=versions(),
            cpu=cpu(),
            notes=notes,
            runtime=self.order.runtime,
        )

    def _progress(self, sentence: str) -> Progress:
        self.done += 1
        return Progress(
            step=self.done,
            of=max(self.plan.about_steps, self.done),
            seconds=time.monotonic() - self.started,
            sentence=sentence,
            tried=tuple(self.tried.values()),
        )

    def _why_nothing(self, chosen: Tried | None) -> str:
        if self.is_cancelled():
            return "cancelled"
        if chosen is not None and chosen.sentence:
            return f"{chosen.recipe} {chosen.sentence}"
        return (
            f"nothing among {len(self.tried)} recipes surely keeps the accuracy within {self.order.budget.margin:.1%}"
        )

    def _end(
        self, sentence: str, card: ReportCard | None = None, variant: str | None = None, recipe: str | None = None
    ) -> Result:
        return Result(
            sentence=sentence,
            card=card,
            variant=variant,
            recipe=recipe or str(self.order.recipe),
            tried=tuple(self.tried.values()),
            cpu_s=round(self.cpu_s, 1),
        )
