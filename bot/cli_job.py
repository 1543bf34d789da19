"""`muster job …`: how far an optimization is, and its report card, for pipelines."""

from __future__ import annotations

import json
import re
import sys
from typing import Any, Final

import click

from bot.cli_remote import ask, key_option, server_option

# What a pipeline branches on: done and within its budget, done or failed without, still on its way.
EXIT: Final = {"fits": 0, "not": 1, "running": 3}


class _Jobs(click.Group):
    """`muster job J7` shows it, as in Slack."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_name = bool(args) and re.fullmatch(r"[Jj]\d+", args[0]) is not None
        return super().parse_args(ctx, ["show", *args] if is_name else args)


@click.group(cls=_Jobs)
def job() -> None:
    """See optimizations and their report cards."""


@job.command("list")
@click.option("--model", help="Of this model only.")
@server_option
@key_option
def list_jobs(model: str | None, server: str, key: str) -> None:
    """List the newest jobs."""
    for each in ask("GET", server, "/v1/jobs", key, params={"model": model} if model else {})["jobs"]:
        click.echo(_line(each))


@job.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print everything, the report card with all its fields.")
@server_option
@key_option
def show(name: str, as_json: bool, server: str, key: str) -> None:
    """Show a job. Exit status: 0 it fits its budget, 1 it does not or failed, 3 it has not ended."""
    found = ask("GET", server, f"/v1/jobs/{name}", key)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else _line(found))
    sys.exit(EXIT[_outcome(found)])


def _outcome(found: dict[str, Any]) -> str:
    if found["state"] in ("queued", "running"):
        return "running"
    card = (found["result"] or {}).get("card")
    return "fits" if card and card["passed"] else "not"


def _line(found: dict[str, Any]) -> str:
    told = found["result"] or found["progress"] or {}
    what = f"{found['model']}@{found['version']}  {found['recipe'] or found['kind']}"
    return f"{found['name']}  {what}  {found['state']}: {told.get('sentence', 'waits')}"
