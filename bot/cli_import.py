"""`muster import …`: answers that another tool collected, sent to the server as rows of that tool."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import yaml

from bot.cli_remote import ask, key_option, of_file, server_option
from core.errors import AppError, InvalidInputError, Problem

PAGE_ROWS: Final = 500
SHOWN_PROBLEMS: Final = 10
SOURCES: Final = ("formbricks", "posthog", "zigpoll")
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)

dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would become of each row; keep nothing.")
again_option = click.option("--from-start", is_flag=True, help="Forget how far the last run came.")


@click.group("import")
def group() -> None:
    """Take over answers from Zigpoll, Formbricks or PostHog."""


@group.command()
@click.argument("mapping", type=_FILE)
@click.option("--secret", envvar="MUSTER_IMPORT_SECRET", show_envvar=True,
              help="whsec_…: what Formbricks signs its webhook with.")  # fmt: skip
@server_option
@key_option
def connect(mapping: Path, secret: str | None, server: str, key: str) -> None:
    """Tell the server which survey leads to which poll; a changed file replaces what was told."""
    told = _read(mapping)
    body = told | ({"secret": secret} if secret else {})
    with of_file(mapping):
        kept = ask("PUT", server, _address(told), key, json=body)
    click.echo(f"{kept['source']} {kept['survey']} leads to {kept['poll']}: {len(kept['questions'])} questions.")
    if kept["source"] == "formbricks" and kept["has_secret"]:
        click.echo(f"Webhook: {server.rstrip('/')}{_address(told)}/webhook")


@group.command()
@click.argument("mapping", type=_FILE)
@click.option("--zigpoll-key", envvar="MUSTER_ZIGPOLL_KEY", required=True, show_envvar=True, help="A private key.")
@click.option("--zigpoll-url", default="https://v1.zigpoll.com", show_default=True, help="Zigpoll's API.")
@dry_run_option
@again_option
@server_option
@key_option
def zigpoll(
    mapping: Path, zigpoll_key: str, zigpoll_url: str, dry_run: bool, from_start: bool, server: str, key: str
) -> None:
    """Pull the responses of a Zigpoll poll; a run that was cut off goes on where it ended."""
    from integrations.http import JsonClient
    from integrations.zigpoll import ZigpollClient

    told = _read(mapping)
    if told["source"] != "zigpoll":
        raise InvalidInputError(Problem("", f"{mapping}: source: is {told['source']}; this pulls from zigpoll"))
    client = ZigpollClient(JsonClient("zigpoll", zigpoll_url, headers={"Authorization": zigpoll_key}))
    place = _Place(mapping.with_suffix(".cursor"), is_kept=not dry_run)
    after = None if from_start or dry_run else place.read()
    tally = _Tally()
    pages = client.pages(str(told["survey"]), after=after)
    with click.progressbar(pages, label="responses", show_percent=False, show_eta=False, show_pos=True) as bar:
        for page in pages:  # nobody tells how many there are
            tally.add(_send(page.rows, told, dry_run=dry_run, server=server, key=key))
            bar.update(len(page.rows))
            if page.cursor:
                place.write(page.cursor)
    tally.show(dry_run=dry_run)


@group.command()
@click.argument("mapping", type=_FILE)
@click.argument("path", type=_FILE)
@dry_run_option
@again_option
@server_option
@key_option
def file(mapping: Path, path: Path, dry_run: bool, from_start: bool, server: str, key: str) -> None:
    """Take responses from a file: a JSON array, an object with data or batch, or one JSON object a line."""
    told = _read(mapping)
    rows = _rows(path)
    place = _Place(path.with_suffix(path.suffix + ".cursor"), is_kept=not dry_run)
    start = 0 if from_start or dry_run else int(place.read() or 0)
    tally = _Tally()
    with click.progressbar(length=len(rows), label=path.name, show_pos=True) as bar:
        bar.update(min(start, len(rows)))
        for first in range(start, len(rows), PAGE_ROWS):
            page = rows[first : first + PAGE_ROWS]
            tally.add(_send(page, told, dry_run=dry_run, server=server, key=key))
            place.write(str(first + len(page)))
            bar.update(len(page))
    tally.show(dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a run came, in a small file beside its input. Starting over is harmless: rows are stored once."""

    path: Path
    is_kept: bool

    def read(self) -> str | None:
        return self.path.read_text().strip() or None if self.path.exists() else None

    def write(self, cursor: str) -> None:
        if self.is_kept:
            self.path.write_text(cursor + "\n")


@dataclass(slots=True)
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, reply: dict[str, Any]) -> None:
        for name in ("accepted", "duplicate", "rejected", "skipped"):
            self.counts[name] += reply[name]
        for result in reply["results"]:
            self.problems += [
                f"{result['uuid'] or '?'}: {each['path']} {each['message']}" for each in result.get("problems", [])
            ]

    def show(self, *, dry_run: bool) -> None:
        would = " would be" if dry_run else ""
        words = {"accepted": "stored", "duplicate": "there already", "rejected": "refused", "skipped": "skipped"}
        click.echo(", ".join(f"{self.counts[name]}{would} {word}" for name, word in words.items()) + ".")
        for line in self.problems[:SHOWN_PROBLEMS]:
            click.echo(f"  {line}")
        if len(self.problems) > SHOWN_PROBLEMS:
            click.echo(f"  and {len(self.problems) - SHOWN_PROBLEMS} more problems")


def _send(rows: Sequence[Any], told: dict[str, Any], *, dry_run: bool, server: str, key: str) -> dict[str, Any]:
    """Send one page; the server being overloaded is waited for, a few times."""
    params = {"dry_run": "1"} if dry_run else {}
    for wait_s in (1.0, 4.0, 16.0, None):
        try:
            return ask("POST", server, _address(told), key, params=params, json=list(rows))
        except AppError as error:
            if error.status not in (429, 503) or wait_s is None:
                raise
            time.sleep(wait_s)
    raise AssertionError("the last try returns or raises")


def _address(told: dict[str, Any]) -> str:
    return f"/v1/imports/{told['source']}/{told['survey']}"


def _read(path: Path) -> dict[str, Any]:
    with of_file(path):
        try:
            told = yaml.safe_load(path.read_text("utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InvalidInputError(Problem("", f"is not YAML: {str(error).splitlines()[0]}")) from None
        if not isinstance(told, dict):
            raise InvalidInputError(Problem("", "must have source, survey, poll and questions"))
        missing = [
            Problem(name, "is missing") for name in ("source", "survey", "poll", "questions") if not told.get(name)
        ]
        if told.get("source") and told["source"] not in SOURCES:
            missing.append(Problem("source", f"must be one of {', '.join(SOURCES)}"))
        if missing:
            raise InvalidInputError(*missing)
    return {**told, "survey": str(told["survey"])}


def _rows(path: Path) -> list[Any]:
    try:
        text = path.read_text("utf-8-sig")
        try:
            found = json.loads(text)
        except ValueError:
            found = list(_lines(text))
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidInputError(Problem("", f"{path}: is neither JSON nor JSON lines: {error}")) from None
    if isinstance(found, dict):
        found = found.get("data", found.get("batch", [found]))
    if not isinstance(found, list):
        raise InvalidInputError(Problem("", f"{path}: must hold an array of responses"))
    return found


def _lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
