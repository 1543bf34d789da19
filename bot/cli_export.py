"""`muster export …`: what may leave the house, as files that other tools read. The server withholds small cohorts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from bot import export_files
from bot.cli_remote import ask, key_option, server_option
from bot.exit_status import RefusedError
from core.errors import Problem
from optimize.cli import OutFile

COLUMNS: Final = {
    "model": "string", "poll": "string", "question": "string", "by": "string", "cohort": "string", "where": "string",
    "since": "datetime64[us, UTC]", "until": "datetime64[us, UTC]", "is_earlier": "bool", "minimum": "int64",
    "n": "int64", "value": "float64", "low": "float64", "high": "float64", "unit": "string",
    "change": "float64", "change_low": "float64", "change_high": "float64",
    "response_rate": "float64", "response_rate_low": "float64", "response_rate_high": "float64",
    "response_rate_n": "Int64", "epsilon": "float64", "left_out": "Int64",
}  # fmt: skip
WRITERS: Final = {".csv": export_files.as_csv, ".parquet": export_files.as_parquet}
_OUT: Final = OutFile()


def _one_name(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    if not given or "/" in given:
        raise click.BadParameter(f"{given!r} is no model's name.")
    return given


def _attributes(_context: click.Context, _option: click.Parameter, given: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(each.strip() for each in given.split(",") if each.strip()))
    if not found:
        raise click.BadParameter("names no attribute; chipset is one.")
    return found


def _of_cohorts(_context: click.Context, _option: click.Parameter, given: Path) -> Path:
    if given.suffix.lower() not in WRITERS:
        raise click.BadParameter("must end in .csv or .parquet")
    return given


model_argument = click.argument("model", callback=_one_name)


@click.group()
def export() -> None:
    """Write cohorts and corrections to files."""


@export.command()
@model_argument
@click.option(
    "--by", default="chipset", show_default=True, callback=_attributes,
    help="Attributes, comma-separated: one block of rows each.",
)  # fmt: skip
@click.option("--since", default="7d", show_default=True, help="How far back: 24h, 7d, 2w.")
@click.option("--where", default="", help="A segment.")
@click.option("--poll", default="", help="P3 or an id; the newest running one of the model without it.")
@click.option("--out", type=_OUT, required=True, callback=_of_cohorts, help="A file that ends in .csv or .parquet.")
@server_option
@key_option
def cohorts(
    model: str, by: tuple[str, ...], since: str, where: str, poll: str, out: Path, server: str, key: str
) -> None:
    """Scores by cohort, each with its interval; what fewer people than the minimum said is not in it."""
    asked = {name: said for name, said in (("since", since), ("where", where), ("poll", poll)) if said}
    reports = _reports(server, f"/v1/reports/{model}", key, [asked | {"by": attribute} for attribute in by])
    rows = [_row(report, each) for report in reports for each in report["cohorts"]]
    export_files.write(out, WRITERS[out.suffix.lower()](rows, COLUMNS))
    hidden = sum(report["hidden"] for report in reports)
    click.echo(f"{out}: {len(rows)} cohorts; {hidden} withheld (too few people).")


@export.command()
@model_argument
@click.option("--since", default="30d", show_default=True, help="How far back: 24h, 7d, 2w.")
@click.option("--out", type=_OUT, required=True, help="The JSON file to write.")
@click.option("--config", type=_OUT, help="Write the labeling config of the project there: all labels are its choices.")
@server_option
@key_option
def corrections(model: str, since: str, out: Path, config: Path | None, server: str, key: str) -> None:
    """The right labels that people gave, the newest 10 000, as tasks that Label Studio imports."""
    found = ask("GET", server, f"/v1/corrections/{model}", key, params={"since": since})
    tasks = found["tasks"]
    export_files.write(out, (json.dumps(tasks, ensure_ascii=False, indent=1) + "\n").encode())
    if config is not None:
        export_files.write(config, (found["config"] + "\n").encode(), option="--config")
    why = "" if tasks else " (nobody gave one, or too few people did)"
    cut = "; older ones are left out: a shorter --since leaves out none" if found["is_cut"] else ""
    click.echo(f"{out}: {len(tasks)} tasks{why}{cut}.")


def _reports(server: str, path: str, key: str, asked: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Ask for each. Raises: RefusedError: with the mistakes of all of them, each once."""
    found: list[dict[str, Any]] = []
    refused: list[RefusedError] = []
    for params in asked:
        try:
            found.append(ask("GET", server, path, key, params=params))
        except RefusedError as error:
            refused.append(error)
            if not error.problems:
                break
    if refused:
        problems: dict[Problem, None] = dict.fromkeys(each for error in refused for each in error.problems)
        raise RefusedError(refused[0].status, refused[0].message, *problems)
    return found


def _row(report: dict[str, Any], cohort: dict[str, Any]) -> dict[str, Any]:
    change, rate, privacy = cohort["change"] or {}, cohort["response_rate"] or {}, report["privacy"] or {}
    shared = (
        "model", "poll", "question", "by", "where", "since", "until", "is_earlier", "minimum", "left_out",
    )  # fmt: skip
    return {
        **{name: report[name] for name in shared},
        **{name: cohort[name] for name in ("cohort", "n", "value", "low", "high", "unit")},
        "change": change.get("value"),
        "change_low": change.get("low"),
        "change_high": change.get("high"),
        **{f"response_rate_{name}": rate.get(name) for name in ("low", "high", "n")},
        "response_rate": rate.get("value"),
        "epsilon": privacy.get("epsilon"),
    }
