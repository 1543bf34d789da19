"""`auto` against plain ONNX Runtime int8 on the fixtures: same samples, same limited child, one table.

    python -m bench.optimize [--json] [mlp] [cnn]

size ×: bytes of the parent / bytes of the variant. ratio: time of the variant / time of the parent in thread CPU time,
with its 95 % interval. accuracy: difference in percentage points with its paired 95 % interval, on inputs that `auto`
has not selected by. CPU s: of the whole job.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import InvalidInputError
from optimize import fixtures, job
from optimize.fixtures import Fixture
from optimize.order import Order, plan
from optimize.recipes import parse_recipe
from optimize.shelf import Shelf

PLAIN = ("int8-static", "int8-dynamic", "int8-weights")
MAKERS = {"mlp": fixtures.mlp, "cnn": fixtures.cnn}
COLUMNS = ("model", "recipe", "size ×", "ratio", "accuracy pp", "flips", "CPU s", "verdict")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="fixtures; all when none is named")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = [row for name in chosen.names or MAKERS for row in measure(MAKERS[name]())]
    if chosen.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    widths = [
        max(len(str(row[column])) for row in [*rows, dict(zip(COLUMNS, COLUMNS, strict=True))]) for column in COLUMNS
    ]
    for row in [dict(zip(COLUMNS, COLUMNS, strict=True)), *rows]:
        print("  ".join(str(row[column]).ljust(width) for column, width in zip(COLUMNS, widths, strict=True)))


def measure(made: Fixture) -> Iterator[dict[str, Any]]:
    """Yield a row for each plain recipe that applies, then for `auto`."""
    for recipe in (*PLAIN, "auto"):
        order = Order(
            model=made.model,
            recipe=parse_recipe(recipe),
            evaluation=made.evaluation,
            calibration=made.calibration,
        )
        with tempfile.TemporaryDirectory() as folder:
            try:
                result = job.run(plan(order), Shelf(Path(folder)))
            except InvalidInputError as error:
                yield dict.fromkeys(COLUMNS, "") | {"model": made.name, "recipe": recipe, "verdict": error.message}
                continue
        yield _row(made.name, recipe, result)


def _row(name: str, recipe: str, result: job.Result) -> dict[str, Any]:
    row = dict.fromkeys(COLUMNS, "") | {"model": name, "recipe": recipe, "CPU s": f"{result.cpu_s:.1f}"}
    card = result.card
    if card is None:
        return row | {"verdict": result.sentence}
    ratio, found = card.evidence.ratio, card.evidence.device
    return row | {
        "recipe": recipe if recipe == result.recipe else f"{recipe} → {result.recipe}",
        "size ×": f"{card.size_x:.2f}",
        "ratio": f"{ratio.value:.2f} ({ratio.low:.2f}–{ratio.high:.2f})" if ratio else "",
        "accuracy pp": f"{_points(found.difference)} ({_points(found.low)}…{_points(found.high)})" if found else "",
        "flips": f"{found.flips}/{found.n}" if found else "",
        "verdict": card.verdict,
    }


def _points(fraction: float | None) -> str:
    return "" if fraction is None else f"{fraction * 100:+.2f}"


if __name__ == "__main__":
    main()
