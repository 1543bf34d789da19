"""`muster release …`: a pipeline proposes a release, looks at it, and waits for its end. People decide in Slack."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, cast
from urllib.parse import quote

import click

from bot import exit_status
from bot.cli_remote import ask, key_option, server_option
from core.errors import NotFoundError
from releases.wording import size

EXIT: Final = {
    "done": exit_status.DONE, "failed": exit_status.FAILED, "stopped": exit_status.STOPPED,
    "waiting": exit_status.ON_ITS_WAY, "running": exit_status.ON_ITS_WAY,
}  # fmt: skip
LOOK_EVERY_S: Final = 15.0
OPTIONS: Final = {
    "to": "Shares in percent, rising to 100.",
    "bake": "Least time of a stage: 30min, 24h, 2d.",
    "guard": 'Guardrails: "crash_rate<+0.2pt latency_p95<+10%".',
    "where": "A segment; everyone when left out.",
    "min": "Least installs seen in each arm before a stage is left; 30 when left out.",
    "approve": "Shares that need a person again: 25,100.",
    "approvals": "How many people have to approve, from 1 to 10.",
    "start": "A moment with its zone: 2026-11-23T09:00+01:00.",
    "holdback": "Percent of installs that keep the baseline for good.",
    "mode": "aa: the baseline against itself, to check the measuring.",
    "versus": "A second version to compare with the same baseline (A/B).",
    "reason": "Why; people read it before they approve.",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print the release as JSON.")


@click.group()
def release() -> None:
    """Propose releases from a pipeline, and wait for them."""


def _plan_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, told in reversed(OPTIONS.items()):
        command = click.option(f"--{name}", help=told)(command)
    return command


@release.command()
@click.argument("target", metavar="MODEL@VERSION")
@_plan_options
@click.option("--dry-run", is_flag=True, help="Check the plan; propose nothing.")
@json_option
@server_option
@key_option
def start(target: str, dry_run: bool, as_json: bool, server: str, key: str, **plan: str | None) -> None:
    """Propose a release; a person approves it in Slack. The same proposal twice is one.

    With --dry-run: what would come of it, from last week's installs.
    """
    model, at, version = target.partition("@")
    if not at or not model or not version:
        raise click.UsageError("say which version, as in kws@1.4.0")
    body = {"model": model, "version": version} | {name: value for name, value in plan.items() if value}
    params = {"dry_run": "1"} if dry_run else {}
    found = ask("POST", server, "/v1/releases", key, params=params, json=body)
    if as_json or not dry_run:
        _show(found, as_json=as_json)
        for unread in found.get("forecast", {}).get("unread", []):
            click.echo(f"not read, so nobody knows whether phones can run it: {unread}", err=True)
        return
    click.echo(f"{_what(found)}  would be proposed; nothing was written")
    for line in _ahead(found["forecast"]):
        click.echo(line)


@release.command()
@click.argument("name", metavar="RELEASE")
@json_option
@server_option
@key_option
def status(name: str, as_json: bool, server: str, key: str) -> None:
    """Show a release: R12, or the newest of kws@1.4.0.

    Exit status: 0 done, 1 failed, 2 refused, 3 on its way, 4 the server cannot be asked now, 5 stopped.
    """
    found = _find(name, server, key)
    _show(found, as_json=as_json)
    sys.exit(EXIT[found["outcome"]])


@release.command()
@click.argument("name", metavar="RELEASE")
@click.option("--timeout-s", type=float, default=86_400, show_default=True, help="Most seconds to wait.")
@json_option
@server_option
@key_option
def wait(name: str, timeout_s: float, as_json: bool, server: str, key: str) -> None:
    """Wait for the end of a release; a server that goes away meanwhile may come back.

    Exit status: 0 done, 1 failed, 2 refused, 3 time is up, 4 the server cannot be asked, 5 stopped: a person is needed.
    """
    found: dict[str, Any] = {}
    told = ""
    for found in exit_status.watch(lambda: _find(name, server, key), every_s=LOOK_EVERY_S, timeout_s=timeout_s):
        if not as_json and (line := _line(found)) != told:
            told = line
            click.echo(line)
        if EXIT[found["outcome"]] != exit_status.ON_ITS_WAY:
            break
    if as_json:
        _show(found, as_json=True)
    sys.exit(EXIT[found["outcome"]])


def _find(name: str, server: str, key: str) -> dict[str, Any]:
    """Return a release by its name, or the newest of a model's version.

    Raises: AppError: there is none, or the server could not be asked.
    """
    model, at, version = name.partition("@")
    if not at:
        return ask("GET", server, f"/v1/releases/{quote(name, safe='')}", key)
    listed = ask("GET", server, "/v1/releases", key, params={"model": model})["releases"]
    for found in listed:
        if version in (found["candidate"], found["rival"]):
            return cast(dict[str, Any], found)
    raise NotFoundError(f"There is no release of {name}; `muster release start {name}` proposes one.")


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else _line(found))


def _ahead(ahead: dict[str, Any]) -> Iterator[str]:
    """Tell a forecast, a line for each stage."""
    yield f"reaches {ahead['eligible']} of {ahead['targeted']} installs in {ahead['days']:g} days at least"
    for unread in ahead.get("unread", []):
        yield f"not read, so nobody knows whether phones can run it: {unread}"
    if ahead["left_out"]:
        yield f"a few can run no file of the candidate and are never offered it: {'; '.join(ahead['left_out'])}"
    for wait in ahead["waits"]:
        yield f"waits for a person: {wait}, or --min says how many are enough"
    for stage in ahead["stages"]:
        seen = [f"{one['metric']} {_smallest(one)}" for one in stage["visible"]]
        yield (
            f"{stage['percent']:>7g} %  from {stage['begins'][:16]}  {stage['candidate_installs']:>9} installs  "
            f"{size(stage['new_bytes']):>8}  smallest visible: {', '.join(seen) or 'no guardrail'}"
        )


def _smallest(one: dict[str, Any]) -> str:
    if one["usual"] is None:
        return "not known"
    if one["smallest"] is None:
        return "none"
    return f"{one['smallest'] * 100:.2g} {'%' if one['relative'] else 'pt'}"


def _line(found: dict[str, Any]) -> str:
    state = found["state"].replace("_", " ")
    return f"{_what(found)}  {state} at {found['percent']:g} %: {found['reason']}"


def _what(found: dict[str, Any]) -> str:
    return f"{found['name']}  {found['model']} {found['baseline']} → {found['candidate']}"
