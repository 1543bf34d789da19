"""`muster export …`: what may leave the house, as files that other tools read. The server withholds small cohorts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Final

import click

from bot.cli_remote import ask, key_option, server_option
from core.errors import AppError
from optimize.cli import OutFile

COLUMNS: Final = (
    "model", "poll", "question", "by", "cohort", "since", "until", "n", "value", "low", "high", "unit", "change",
    "change_low", "change_high", "response_rate",
)  # fmt: skip
FORMATS: Final = (".csv", ".parquet")
_OUT: Final = OutFile()


@click.group()
def export() -> None:
    """Write cohorts and corrections to files."""


@export.command()
@click.argument("model")
@click.option("--by", default="chipset", show_default=True, help="Attributes, comma-separated: one block of rows each.")
@click.option("--since", default="7d", show_default=True, help="How far back: 24h, 7d, 2w.")
@click.option("--where", default="", help="A segment.")
@click.option("--poll", default="", help="P3 or an id; the newest running one of the model without it.")
@click.option("--out", type=_OUT, required=True, help="A file that ends in .csv or .parquet.")
@server_option
@key_option
def cohorts(model: str, by: str, since: str, where: str, poll: str, out: Path, server: str, key: str) -> None:
    """Scores by cohort, each with its interval; what fewer people than the minimum said is not in it."""
    if out.suffix not in FORMATS:
        raise click.UsageError("--out must end in .csv or .parquet")
    rows: list[dict[str, Any]] = []
    hidden = 0
    for attribute in [each.strip() for each in by.split(",") if each.strip()]:
        asked = {"by": attribute, "since": since, "where": where, "poll": poll}
        params = {name: said for name, said in asked.items() if said}
        report = ask("GET", server, f"/v1/reports/{model}", key, params=params)
        hidden += report["hidden"]
        rows += [_row(report, each) for each in report["cohorts"]]
    (_write_csv if out.suffix == ".csv" else _write_parquet)(rows, out)
    click.echo(f"{out}: {len(rows)} cohorts; {hidden} withheld (too few people).")


@export.command()
@click.argument("model")
@click.option("--since", default="30d", show_default=True, help="How far back: 24h, 7d, 2w.")
@click.option("--out", type=_OUT, required=True, help="The JSON file to write.")
@click.option("--config", type=_OUT, help="Write the labeling config of the project there: all labels are its choices.")
@server_option
@key_option
def corrections(model: str, since: str, out: Path, config: Path | None, server: str, key: str) -> None:
    """The right labels that people gave, the newest 10 000, as tasks that Label Studio imports."""
    found = ask("GET", server, f"/v1/corrections/{model}", key, params={"since": since})
    tasks = found["tasks"]
    out.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if config is not None:
        config.write_text(found["config"] + "\n", "utf-8")
    why = "" if tasks else " (nobody gave one, or too few people did)"
    cut = "; older ones are left out: a shorter --since leaves out none" if found["is_cut"] else ""
    click.echo(f"{out}: {len(tasks)} tasks{why}{cut}.")


def _row(report: dict[str, Any], cohort: dict[str, Any]) -> dict[str, Any]:
    change, rate = cohort["change"] or {}, cohort["response_rate"] or {}
    shared = {name: report[name] for name in ("model", "poll", "question", "by", "since", "until")}
    own = {name: cohort[name] for name in ("cohort", "n", "value", "low", "high", "unit")}
    moved = {"change": change.get("value"), "change_low": change.get("low"), "change_high": change.get("high")}
    return {**shared, **own, **moved, "response_rate": rate.get("value")}


def _write_csv(rows: list[dict[str, Any]], out: Path) -> None:
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)


def _harmless(value: object) -> object:
    """Return a text so that no spreadsheet takes it for a formula: cohorts are named by phones."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _write_parquet(rows: list[dict[str, Any]], out: Path) -> None:
    try:
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError:
        raise AppError("Parquet takes the extra `parquet`: pip install --editable '.[parquet]'") from None
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    for name in ("since", "until"):
        frame[name] = pd.to_datetime(frame[name])
    for name in ("value", "low", "high", "change", "change_low", "change_high", "response_rate"):
        frame[name] = frame[name].astype("float64")
    frame.to_parquet(out, index=False)
