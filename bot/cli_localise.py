"""`muster localise`: which rules explain where tables of leaves are worse than they should be."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import click

from bot.exit_status import REFUSED
from core.errors import InvalidInputError

_PLAIN = re.compile(r"[\w.+-]+")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@click.option("--depth", default=3, show_default=True, type=click.IntRange(1, 6), help="Most conditions of a rule.")
@click.option("--alpha", default=0.05, show_default=True, type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="Chance of any false cause in a case.")  # fmt: skip
@click.option("--direction", type=click.Choice(["rise", "fall", "both"]),
              help="What counts as wrong. Left out: a rise of harms among exposures, or a fall if none rose; "
                   "either way for figures and for harms that are only expected.")  # fmt: skip
@click.option("--numbers", type=click.Choice(["auto", "counts", "amounts"]), default="auto", show_default=True,
              help="What harms are: counts, or amounts that were measured; auto: what they look like.")  # fmt: skip
@click.option("--ignore", multiple=True, metavar="COLUMN", help="A column that is no attribute; may be repeated.")
def localise(
    paths: tuple[Path, ...], as_json: bool, depth: int, alpha: float, direction: str | None, numbers: str,
    ignore: tuple[str, ...],
) -> None:  # fmt: skip
    """Rank what explains each case best, at least five rules each.

    PATHS are CSV files with a header, one row for each combination of attributes. Number columns: harms with
    exposures, expected or both; or real and predict (a figure that adds up and its forecast). Every other column is
    an attribute.
    """
    options = {"depth": depth, "alpha": alpha, "direction": direction}
    cases = [_case(path, ignore, numbers, options) for path in paths]
    if as_json:
        click.echo(json.dumps({"cases": cases}, ensure_ascii=False, indent=2))
    for case in cases:
        if not as_json and "problems" not in case:
            _show(case)
        for problem in case.get("problems", ()):
            click.echo(f"muster: {case['file']}: {problem}", err=True)
    if any("problems" in case for case in cases):
        sys.exit(REFUSED)


def _case(path: Path, ignore: tuple[str, ...], numbers: Any, options: dict[str, Any]) -> dict[str, Any]:
    # pandas and scipy take a second to import, which no other command should wait for.
    from feedback import leaf_csv
    from feedback.localise import localise as find

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            leaves = leaf_csv.read(file, ignore=ignore, kind=numbers)
    except InvalidInputError as error:
        return {"file": str(path), "problems": [str(problem) for problem in error.problems]}
    except (OSError, UnicodeDecodeError) as error:
        return {"file": str(path), "problems": [f"cannot be read: {error}"]}
    started = time.perf_counter()
    try:
        found = find(leaves, **options)
    except InvalidInputError as error:
        return {"file": str(path), "problems": [str(problem) for problem in error.problems]}
    spent_ms = 1000 * (time.perf_counter() - started)
    explanations = [_explanation(rank, each) for rank, each in enumerate(found.explanations, 1)]
    return {
        "file": str(path),
        "kind": leaves.kind,
        "direction": found.direction,
        "leaves": len(leaves),
        "slices": found.slices,
        "ms": round(spent_ms, 1),
        "causes": [each["rule"] for each in explanations if each["is_cause"]],
        "explanations": explanations,
    }


def _explanation(rank: int, each: Any) -> dict[str, Any]:
    return {
        "rank": rank,
        "rule": _rule(each.conditions),
        "conditions": dict(each.conditions),
        "twins": [dict(twin) for twin in each.twins],
        "is_cause": each.is_cause,
        "confidence": round(each.confidence, 4),
        "observed": each.observed,
        "expected": each.expected,
        "leaves": each.leaves,
        "score": round(each.score, 3),
        "p": each.p,
    }


def _rule(conditions: tuple[tuple[str, str], ...]) -> str:
    if not conditions:
        return "everyone"
    return " and ".join(f"{name}={_word(value)}" for name, value in conditions)


def _word(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _show(case: dict[str, Any]) -> None:
    head = f"{case['file']}: {case['leaves']} leaves, {case['slices']} slices, {case['ms']:.0f} ms"
    click.echo(head if case["causes"] else f"{head}; nothing beyond chance")
    click.echo(f"  {'':5}{'confidence':>10}  {'observed':>12}  {'expected':>12}  rule")
    for each in case["explanations"]:
        mark = "cause" if each["is_cause"] else ""
        numbers = f"{each['confidence']:10.2f}  {each['observed']:12.6g}  {each['expected']:12.6g}"
        twins = "".join(f"  = {_rule(tuple(twin.items()))}" for twin in each["twins"][:3])
        click.echo(f"  {mark:5}{numbers}  {each['rule']}{twins}")
