"""`muster model check` and `muster model optimize-local`: both run on this machine alone, without a server.

Exit status: 0 passed, 1 did not pass (the reason is the last line), 2 a file or an argument is refused.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from core.errors import InvalidInputError
from optimize import job
from optimize.budgets import DEFAULT, parse_budget
from optimize.check import check as check_model
from optimize.inspect import LARGEST_BYTES
from optimize.order import Order, plan
from optimize.recipes import parse_recipe
from optimize.report_card import ReportCard, to_json
from optimize.runner import Limits
from optimize.shelf import Shelf

NOT_PASSED: Final = 1
REFUSED: Final = 2
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


class OutFile(click.Path):
    """A file to write. That it can be is looked at first, before any work is done."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = path.absolute().parent
        if path.exists() and not path.is_file():
            return path  # a device, such as /dev/stdout
        if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            self.fail(f"{folder} is no folder that can be written; make it first.", param, ctx)
        return path


def _limits(command: Callable[..., None]) -> Callable[..., None]:
    command = click.option("--cpu-s", default=120, show_default=True, help="Most CPU seconds of one step.")(command)
    return click.option("--memory-gb", default=4.0, show_default=True, help="Most memory of one step.")(command)


@click.command("check")
@click.argument("model", type=_FILE)
@click.option("--eval", "evaluation", type=_FILE, help="npz with x (inputs) and y (labels).")
@click.option("--budget", required=True, help='For example "size<4MB accuracy>97% latency<5ms".')
@click.option("--against", type=_FILE, help="The model it shall replace; relative limits compare with it.")
@click.option("--runtime", help='What the app runs models with, for example "onnxruntime 1.30".')
@click.option("--json", "as_json", is_flag=True, help="Print the whole report card.")
@_limits
def check(
    model: Path, evaluation: Path | None, budget: str, against: Path | None, runtime: str | None, as_json: bool,
    cpu_s: int, memory_gb: float,
) -> None:  # fmt: skip
    """Hold a model file against a budget, for CI; exits non-zero with the reason."""
    try:
        checked = check_model(
            _read(model),
            parse_budget(budget),
            evaluation=_read(evaluation) if evaluation else None,
            against=_read(against) if against else None,
            limits=Limits(cpu_s=cpu_s, memory_bytes=int(memory_gb * 1e9)),
            command=shlex.join(["muster", "model", *sys.argv[2:]]),
            runtime=runtime,
        )
    except InvalidInputError as error:
        _refuse(error, as_json=as_json)
    _print(checked.card, checked.sentence, passed=checked.passed, as_json=as_json)
    sys.exit(0 if checked.passed else NOT_PASSED)


@click.command("optimize-local")
@click.argument("model", type=_FILE)
@click.option("--eval", "evaluation", type=_FILE, help="npz with x (inputs) and y (labels) to judge by.")
@click.option("--calib", "calibration", type=_FILE, help="npz with x (inputs) to calibrate and repair by.")
@click.option("--train-script", type=_FILE, help="Python that defines net(), for finetune, qat, student and to-….")
@click.option("--recipe", default="auto", show_default=True, help='For example "prune50,int8".')
@click.option("--budget", default=DEFAULT, show_default=True, help="What the outcome has to fit.")
@click.option("--out", type=OutFile(), help="Where to write the variant.")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), help="Keeps what is done, to go on later.")
@click.option("--runtime", help='What the app runs models with, for example "onnxruntime 1.30".')
@click.option("--json", "as_json", is_flag=True, help="Print the whole report card.")
@_limits
def optimize_local(
    model: Path, evaluation: Path | None, calibration: Path | None, train_script: Path | None, recipe: str,
    budget: str, out: Path | None, work: Path | None, runtime: str | None, as_json: bool, cpu_s: int, memory_gb: float,
) -> None:  # fmt: skip
    """Make a model file smaller and faster on this machine, and prove it."""
    try:
        planned = plan(
            Order(
                model=_read(model),
                recipe=parse_recipe(recipe),
                budget=parse_budget(budget),
                evaluation=_read(evaluation) if evaluation else None,
                calibration=_read(calibration) if calibration else None,
                train_script=_read(train_script) if train_script else None,
                name=model.name,
                runtime=runtime,
                limits=Limits(cpu_s=cpu_s, memory_bytes=int(memory_gb * 1e9)),
            )
        )
    except InvalidInputError as error:
        _refuse(error, as_json=as_json)
    with nullcontext(str(work)) if work else tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder))
        result = job.run(planned, shelf, on_progress=_quiet if as_json else _progress)
        if out and result.variant:
            out.write_bytes(shelf.get(result.variant))
    passed = result.card is not None and result.card.passed
    _print(result.card, result.sentence, passed=passed, as_json=as_json)
    sys.exit(0 if passed else NOT_PASSED)


def _progress(progress: job.Progress) -> None:
    click.echo(f"{progress.step}/{progress.of} {progress.seconds:5.1f} s  {progress.sentence}", err=True)


def _quiet(_progress: job.Progress) -> None:
    """Says nothing: JSON stands alone."""


def _print(card: ReportCard | None, sentence: str, *, passed: bool, as_json: bool) -> None:
    if as_json:
        facts: dict[str, Any] = {"passed": passed, "sentence": sentence, "card": to_json(card) if card else None}
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for one in card.checks if card else ():
        click.echo(f"{'ok ' if one.outcome == 'fits' else '-- '} {one.limit}: {one.outcome} ({one.sentence})")
    for warning in card.warnings if card else ():
        click.echo(f"!   {warning}")
    click.echo(sentence)


def _refuse(error: InvalidInputError, *, as_json: bool) -> NoReturn:
    if as_json:
        problems = [asdict(problem) for problem in error.problems]
        click.echo(json.dumps({"passed": False, "problems": problems}, indent=2, ensure_ascii=False))
    for problem in error.problems:
        click.echo(f"muster: {problem}", err=True)
    sys.exit(REFUSED)


def _read(path: Path) -> bytes:
    """Return a file, no more of it than one byte above what is taken: the reader refuses it then."""
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES + 1)
