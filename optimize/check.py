"""The gate for CI: one model file against a budget, anywhere, without a server; the reason when it does not pass.

Absolute limits are held against the file itself; relative ones need the file it shall replace. The same limited child
runs it, so a hostile or broken file fails the check and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInputError, Problem
from optimize import report_card, runner, samples
from optimize.backends import known
from optimize.benchmark import Benchmark
from optimize.budgets import Budget
from optimize.inspect import read_needs
from optimize.needs import Needs
from optimize.readings import cpu, measured, pair_ratio, part_of, versions
from optimize.report_card import Evidence, Origin, ReportCard
from optimize.runner import Failed, Limits

_TIMING = {"sittings": 8, "rounds": 60}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """`sentence`: why it passed or not."""

    passed: bool
    sentence: str
    card: ReportCard | None


def check(
    model: bytes,
    budget: Budget,
    *,
    evaluation: bytes | None = None,
    against: bytes | None = None,
    limits: Limits | None = None,
    command: str = "muster model check",
    runtime: str | None = None,
) -> Checked:
    """Judge `model` by the budget, compared with `against` when given.

    Raises: InvalidInputError: a file is refused or a limit needs what was not given; with every problem.
    """
    needs = _refuse(model, budget, evaluation, against)
    limits = limits or Limits()
    parent = against or model
    files = {"model": parent, "variant": model} | ({"eval.npz": evaluation} if evaluation else {})
    found: dict[str, Mapping[str, Any]] = {}
    for name, task, params in (
        ("described", "describe", {}),
        ("judged", "judge", {}),
        ("times", "clock", _TIMING),
        ("before", "weigh", {"which": "model"}),
        ("after", "weigh", {"which": "variant"}),
    ):
        given = {**files, "model": model} if task == "describe" else files
        outcome = runner.run(task, given, params, limits=limits)
        if isinstance(outcome, Failed):
            return Checked(passed=False, sentence=f"the model {outcome.sentence}", card=None)
        found[name] = outcome.result
    origin = Origin(
        parent=hashlib.sha256(parent).hexdigest(), recipe="", command=command, versions=versions(), cpu=cpu(),
        runtime=runtime,
    )  # fmt: skip
    card = report_card.grade(
        *_benchmarks(parent, model, found), budget, evidence=_evidence(found, against), origin=origin
    )
    return Checked(passed=card.passed, sentence=_sentence(card, needs, against is not None), card=card)


def _evidence(found: Mapping[str, Mapping[str, Any]], against: bytes | None) -> Evidence:
    """Return the pair's evidence; without a parent the model is judged against itself and no ratio is claimed."""
    return Evidence(
        device=part_of(found["judged"].get("device", {}), "whole"),
        native=part_of(found["judged"].get("native", {}), "whole"),
        ratio=pair_ratio(found["times"]["times"]) if against else None,
        coverage={"before": found["before"]["coverage"], "after": found["after"]["coverage"]},
    )


def _benchmarks(parent: bytes, model: bytes, found: Mapping[str, Mapping[str, Any]]) -> tuple[Benchmark, Benchmark]:
    times = found["times"]["times"]
    return measured(parent, found["before"], times["before"]), measured(model, found["after"], times["after"])


def _sentence(card: ReportCard, needs: Needs, has_parent: bool) -> str:
    if has_parent:
        return card.summary
    words = "; ".join(check.sentence for check in card.checks if check.outcome == card.verdict)
    return f"{card.verdict}: {words} (opset {needs.opset}, {needs.parameters:,} parameters)"


def _refuse(model: bytes, budget: Budget, evaluation: bytes | None, against: bytes | None) -> Needs:
    lacking = known()["onnxruntime"].probe()
    problems: list[Problem] = [lacking] if lacking else []
    needs: Needs | None = None
    for name, content in (("model", model), ("against", against)):
        if content is None:
            continue
        try:
            read = read_needs(content)
            needs = read if name == "model" else needs
        except InvalidInputError as error:
            problems += [Problem(name, problem.message) for problem in error.problems]
    try:
        rows = samples.read_samples(evaluation) if evaluation is not None else None
        if rows is not None and needs is not None:
            problems += samples.check_fits(rows, needs.inputs[0].shape, needs.classes)
    except InvalidInputError as error:
        problems += error.problems
    if against is None:
        problems += [
            Problem("budget", f"{limit.text} compares with another file; give it with --against")
            for limit in budget.limits
            if limit.relative
        ]
    if problems or needs is None:
        raise InvalidInputError(*problems)
    return needs
