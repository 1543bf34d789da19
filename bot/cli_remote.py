"""`muster model …` and `muster poll …`: what a pipeline does over HTTP with an sk_ key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click
import requests

from bot.exit_status import RefusedError, UnreachableError
from core.errors import AppError, InvalidInputError, Problem

TIMEOUT_S = (3.05, 300)
NOT_NOW = (429, 500, 502, 503, 504)


def _address(_context: click.Context, _option: click.Parameter, given: str) -> str:
    try:
        parts = urlsplit(given)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_one = False
    if not is_one:
        raise click.BadParameter(f"{given!r} is no address; it begins with http:// or https://.")
    return given


server_option = click.option(
    "--server", envvar="MUSTER_SERVER", show_envvar=True, default="http://127.0.0.1:8000", show_default=True,
    help="The web process.", callback=_address,
)  # fmt: skip
key_option = click.option(
    "--key",
    envvar="MUSTER_API_KEY",
    show_envvar=True,
    required=True,
    help="An sk_… key; better in MUSTER_API_KEY than typed.",
)


@click.group()
def model() -> None:
    """Register and list model artifacts."""


@model.command("list")
@server_option
@key_option
def list_models(server: str, key: str) -> None:
    """List models with their versions and variants."""
    for each in ask("GET", server, "/v1/models", key)["models"]:
        click.echo(f"{each['model']}")
        for artifact in each["artifacts"]:
            click.echo(f"  {artifact['version']:10} {artifact['variant']:8} {artifact['sha256'][:12]}")


@click.group()
def poll() -> None:
    """Check and push polls from YAML files."""


@poll.command()
@click.argument("paths", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True)
def check(paths: tuple[Path, ...]) -> None:
    """Say every mistake of poll files, with its line; no server is asked."""
    from feedback.poll_yaml import parse_yaml

    problems: list[Problem] = []
    for path in paths:
        try:
            with of_file(path):
                parse_yaml(_text(path))
        except InvalidInputError as error:
            problems += error.problems
    if problems:
        raise InvalidInputError(*problems)
    click.echo(f"{len(paths)} file{'s are' if len(paths) > 1 else ' is'} fine.")


@poll.command()
@click.argument("paths", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True)
@click.option("--start", is_flag=True, help="Start them as well.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@server_option
@key_option
def push(paths: tuple[Path, ...], start: bool, dry_run: bool, server: str, key: str) -> None:
    """Create or change polls from YAML files and print what changed; an unchanged one stays as it is."""
    params = {name: "1" for name, said in (("start", start), ("dry_run", dry_run)) if said}
    for path in paths:
        with of_file(path):
            reply = ask("PUT", server, "/v1/polls", key, params=params, data=_text(path).encode())
        number = "" if dry_run and reply["is_new"] else f"{reply['ref']} "
        state = f"{number}{reply['id']} version {reply['version']}, {reply['status']}"
        what = "new" if reply["is_new"] else "changed" if reply["changes"] else "unchanged"
        click.echo(f"{path}: {state} ({'dry run: would be ' if dry_run else ''}{what})")
        for each in reply["changes"]:
            click.echo(_difference(each))
        for note in reply["notes"]:
            click.echo(f"  {note}")


def _difference(change: dict[str, Any]) -> str:
    """Read like a diff: + what is new, - what is gone, ~ what is another value now."""
    path, before, after = change["path"], change["before"], change["after"]
    if before is None:
        return f"  + {path}: {after}"
    return f"  - {path}: {before}" if after is None else f"  ~ {path}: {before} -> {after}"


@contextmanager
def of_file(path: Path) -> Iterator[None]:
    """Put the file's name before every problem that is told of it."""
    try:
        yield
    except AppError as error:
        error.problems = tuple(Problem("", f"{path}: {each}") for each in error.problems)
        raise


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise InvalidInputError(Problem("", "is not UTF-8")) from None


def ask(method: str, server: str, path: str, key: str, **options: Any) -> dict[str, Any]:
    """Ask the server; its problems become ours.

    Raises: UnreachableError: it could not be reached, or not now; RefusedError: it refused.
    """
    headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
    try:
        reply = requests.request(
            method, server.rstrip("/") + quote(path), headers=headers, timeout=TIMEOUT_S, **options
        )  # fmt: skip
    except requests.RequestException:
        raise UnreachableError(f"Cannot reach {server}; is `muster web` running there?") from None
    try:
        body: dict[str, Any] = reply.json()
    except ValueError:
        if reply.ok:
            raise UnreachableError(f"{server} answers, but not as Muster does; is its address right?") from None
        body = {"error": f"{server} answered HTTP {reply.status_code} without saying why."}
    if reply.status_code in NOT_NOW:
        raise UnreachableError(body.get("error", f"HTTP {reply.status_code}"))
    if not reply.ok:
        problems = [Problem(each["path"], each["message"], each.get("line")) for each in body.get("problems", [])]
        raise RefusedError(reply.status_code, body.get("error", f"HTTP {reply.status_code}"), *problems)
    return body
