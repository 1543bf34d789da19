"""`muster model optimize` and `muster job …`: order an optimization, wait for it, read its card, for pipelines."""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from typing import Any, Final

import click

from bot import exit_status
from bot.cli_remote import ask, key_option, server_option

EXIT: Final = {"fits": exit_status.DONE, "not": exit_status.FAILED, "running": exit_status.ON_ITS_WAY}
LOOK_EVERY_S: Final = 2.0


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
    """Show a job.

    Exit status: 0 it fits its budget, 1 it does not or failed, 2 refused, 3 it has not ended, 4 the server cannot be
    asked now.
    """
    found = ask("GET", server, f"/v1/jobs/{name}", key)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else _line(found))
    sys.exit(EXIT[_outcome(found)])


@job.command()
@click.argument("name")
@click.option("--timeout-s", type=float, default=3600, show_default=True, help="Most seconds to wait.")
@server_option
@key_option
def wait(name: str, timeout_s: float, server: str, key: str) -> None:
    """Wait for the end of a job; a server that goes away meanwhile may come back.

    Exit status: 0 it fits its budget, 1 it does not or failed, 2 refused, 3 time is up, 4 the server cannot be asked.
    """
    found: dict[str, Any] = {}
    told = ""
    look = partial(ask, "GET", server, f"/v1/jobs/{name}", key)
    for found in exit_status.watch(look, every_s=LOOK_EVERY_S, timeout_s=timeout_s):
        if (line := _line(found)) != told:
            told = line
            click.echo(line)
        if _outcome(found) != "running":
            break
    sys.exit(EXIT[_outcome(found)])


@click.command()
@click.argument("target", metavar="MODEL@VERSION")
@click.option("--recipe", help="auto, or steps such as prune50,int8.")
@click.option("--budget", help="Limits such as size<4MB latency<-10% accuracy>-1pt.")
@click.option("--variant", help="Which file, where a version has several.")
@click.option("--cpu", help="Most seconds of one processor, such as 120s.")
@click.option("--runtime", help="What the app runs models with, such as onnxruntime 1.30.")
@server_option
@key_option
def optimize(target: str, server: str, key: str, **words: str | None) -> None:
    """Have a worker make a registered model smaller and faster; the same order twice is one until it ends."""
    model, at, version = target.partition("@")
    if not at or not model or not version:
        raise click.UsageError("say which version, as in kws@1.4.0")
    body = {"model": model, "version": version} | {name: value for name, value in words.items() if value}
    click.echo(_line(ask("POST", server, "/v1/jobs", key, json=body)))


def _outcome(found: dict[str, Any]) -> str:
    if found["state"] in ("queued", "running"):
        return "running"
    card = (found["result"] or {}).get("card")
    return "fits" if card and card["passed"] else "not"


def _line(found: dict[str, Any]) -> str:
    told = found["result"] or found["progress"] or {}
    what = f"{found['model']}@{found['version']}  {found['recipe'] or found['kind']}"
    return f"{found['name']}  {what}  {found['state']}: {told.get('sentence', 'waits')}"
