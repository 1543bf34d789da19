"""`auto` against plain ONNX Runtime int8, NNCF's accuracy control and Olive: one table.

    python -m bench.optimize [--json] [--split N]… [--ours] [--only mlp,cnn,mobilenet]

Same models, same inputs, same process limits; everything is judged on the inputs by which nobody selected. size ×:
bytes of the parent / bytes of the variant. ratio: time of the variant / time of the parent in thread CPU time, with
its 95 % interval. accuracy: difference in percentage points with its paired 95 % interval. CPU s: of the whole job.
NNCF and Olive are installed into environments of their own when they are not there; --ours leaves them out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.optimize import rivals
from bench.optimize.fixtures import Case, made
from core.errors import InvalidInputError
from optimize import job, runner
from optimize.evaluate import Comparison
from optimize.order import Order, plan
from optimize.readings import pair_ratio
from optimize.recipes import parse_recipe
from optimize.runner import Failed
from optimize.shelf import Shelf

NAMES = ("mlp", "cnn", "mobilenet")
PLAIN = ("int8-static", "int8-dynamic", "int8-weights")
COLUMNS = ("model", "recipe", "size ×", "ratio", "accuracy pp", "changed", "CPU s", "verdict")
_TIMING = {"sittings": 10, "rounds": 100}
_Made = tuple[str, bytes | None, float, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_names, default=NAMES, help=f"of {','.join(NAMES)}; all when none is named")
    parser.add_argument("--split", type=int, action="append", help="which rows are held out; 0 when none is given")
    parser.add_argument("--ours", action="store_true", help="leave NNCF and Olive out")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = []
    for name in chosen.only:
        for split in chosen.split or [0]:
            for row in _table(name, split, ours_only=chosen.ours):
                print("  ".join(str(cell) for cell in row.values() if cell), file=sys.stderr, flush=True)
                rows.append(row)
    print(json.dumps(rows, ensure_ascii=False, indent=2) if chosen.json else _text(rows))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return names


def _table(name: str, split: int, *, ours_only: bool) -> Iterator[dict[str, Any]]:
    case = made(name, split, partial(rivals.python, "nncf"))
    title = f"{name} {split}"
    if isinstance(case, str):
        yield _empty(title, "", case)
        return
    for recipe, variant, cpu_s, sentence in (*_ours(case), *(() if ours_only else _theirs(case))):
        if variant is None:
            yield _empty(title, recipe, sentence)
        else:
            yield _measured(case, title, recipe, variant) | {"CPU s": f"{cpu_s:.1f}", "verdict": sentence}


def _ours(case: Case) -> Iterator[_Made]:
    """Yield what each plain recipe that applies makes, then `auto`."""
    for recipe in (*PLAIN, "auto"):
        order = Order(
            model=case.model,
            recipe=parse_recipe(recipe),
            evaluation=case.evaluation,
            calibration=case.calibration,
        )
        with tempfile.TemporaryDirectory() as folder:
            shelf = Shelf(Path(folder))
            try:
                result = job.run(plan(order), shelf)
            except InvalidInputError as error:
                yield recipe, None, 0.0, error.message
                continue
            title = recipe if recipe == result.recipe else f"{recipe} → {result.recipe}"
            verdict = result.card.verdict if result.card else result.sentence
            yield title, shelf.get(result.variant) if result.variant else None, result.cpu_s, verdict


def _theirs(case: Case) -> Iterator[_Made]:
    for name in rivals.PACKAGES:
        found = rivals.run(name, case)
        yield name, found.variant, found.cpu_s, found.sentence


def _measured(case: Case, title: str, recipe: str, variant: bytes) -> dict[str, Any]:
    """Judge and time a variant in the limited child, on the confirming inputs."""
    files = {"model": case.model, "variant": variant, "eval.npz": case.evaluation}
    judged, timed = runner.run("judge", files), runner.run("clock", files, _TIMING)
    for outcome in (judged, timed):
        if isinstance(outcome, Failed):
            return _empty(title, recipe, outcome.sentence)
    assert not isinstance(judged, Failed)
    assert not isinstance(timed, Failed)
    found, ratio = Comparison.read(judged.result["device"]["confirm"]), pair_ratio(timed.result["times"])
    return _empty(title, recipe, "") | {
        "size ×": f"{len(case.model) / len(variant):.2f}",
        "ratio": f"{ratio.value:.2f} ({ratio.low:.2f}–{ratio.high:.2f})",
        "accuracy pp": f"{_points(found.difference)} ({_points(found.low)}…{_points(found.high)})",
        "changed": f"{found.flips}/{found.n}",
    }


def _empty(title: str, recipe: str, verdict: str) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS, "") | {"model": title, "recipe": recipe, "verdict": verdict}


def _text(rows: list[dict[str, Any]]) -> str:
    table = [dict(zip(COLUMNS, COLUMNS, strict=True)), *rows]
    widths = [max(len(str(row[column])) for row in table) for column in COLUMNS]
    lines = (
        "  ".join(str(row[column]).ljust(width) for column, width in zip(COLUMNS, widths, strict=True)) for row in table
    )
    return "\n".join(lines)


def _points(fraction: float | None) -> str:
    return "" if fraction is None else f"{fraction * 100:+.2f}"


if __name__ == "__main__":
    main()
