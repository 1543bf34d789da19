"""`muster model register`: sends files in parts, goes on where it was cut off, and says what was read from them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from bot.cli_remote import ask, key_option, server_option
from bot.exit_status import RefusedError, UnreachableError
from core.errors import ConflictError, InvalidInputError, Problem

PART_BYTES: Final = 4 << 20
TRIES: Final = 8
LONGEST_WAIT_S: Final = 30.0
READ_WITHIN_S: Final = 15.0
LOOK_EVERY_S: Final = 0.5
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)

Wait = Callable[[float], None]


@click.command()
@click.argument("name")
@click.argument("version")
@click.argument("path", type=_FILE)
@click.option("--variant", default="fp32", show_default=True, help="Which of the version's files this is.")
@click.option("--runtime", default="onnxruntime", show_default=True, help="What the app runs it with.")
@click.option("--min-os", help="Least version of the operating system.")
@click.option("--min-app", help="Least version of the app.")
@click.option("--min-ram-gb", type=float, help="Least memory of the phone, in GB.")
@click.option("--accelerators", help="Comma-separated; any when left out.")
@click.option("--baseline", is_flag=True, help="Offer this version to everybody until a release replaces it.")
@click.option("--eval", "evaluation", type=_FILE, help="npz with x (inputs) and y (labels) to judge by.")
@click.option("--calib", "calibration", type=_FILE, help="npz with x (inputs) to calibrate and repair by.")
@click.option("--train-script", type=_FILE, help="How it was trained; for recipes that train again.")
@click.option("--unread", is_flag=True, help="Take a file that cannot be read here, too: the app can read it.")
@click.option("--trained", type=click.DateTime(["%Y-%m-%d"]), help="Day of the newest data it was trained on.")
@server_option
@key_option
def register(
    name: str, version: str, path: Path, server: str, key: str, evaluation: Path | None, calibration: Path | None,
    train_script: Path | None, trained: datetime | None, unread: bool, **needs: Any,
) -> None:  # fmt: skip
    """Upload a model file and what belongs to it; the same again changes nothing. What is cut off goes on.

    Exit status: 0 it is registered, 2 something is refused (also a file that nothing here can read: no phone gets it,
    and its name stays free), 4 the server cannot be asked now.
    """
    beside = {"eval": evaluation, "calib": calibration, "train_script": train_script}
    stated = {"model": name, "version": version} | {field: _plain(value) for field, value in needs.items() if value}
    if unread:
        stated["unread"] = "1"
    if trained is not None:
        stated["trained"] = trained.date().isoformat()
    put(server, key, path, stated, {role: each for role, each in beside.items() if each is not None})


def put(
    server: str, key: str, path: Path, stated: dict[str, str], beside: dict[str, Path], *, wait: Wait = time.sleep
) -> None:
    """Send everything, register it, and print what a worker read from it.

    Raises: AppError: refused, unreachable; or something cannot be read here and that is not expected (`unread`).
    """
    named = {role: send(server, key, each, wait=wait) for role, each in beside.items()}
    digest = send(server, key, path, wait=wait)
    reply = ask("PUT", server, f"/v1/artifacts/{digest}", key, params=stated | named)
    artifact = _read(server, key, reply, wait)
    if problems := _unreadable(artifact, unread="unread" in stated):
        raise InvalidInputError(*problems)
    name = f"{reply['model']}@{reply['version']} {reply['variant']}"
    click.echo(f"{name}  {reply['size_bytes']} bytes  sha256 {digest}")
    _tell(artifact)


def send(server: str, key: str, path: Path, *, part_bytes: int = PART_BYTES, wait: Wait = time.sleep) -> str:
    """Upload a file, from where an earlier attempt stopped; return its SHA-256.

    Raises: AppError: refused, or the server could not be reached eight times in a row.
    """
    with path.open("rb") as file:
        digest, size = hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
        state = _again(lambda: ask("GET", server, f"/v1/uploads/{digest}", key), wait)
        with click.progressbar(length=size, label=path.name) as bar:
            bar.update(state["offset"])
            while not state["is_complete"]:
                file.seek(state["offset"])
                part = file.read(part_bytes)
                is_last = state["offset"] + len(part) >= size
                state = _again(lambda: _send_part(server, key, digest, state["offset"], part, is_last), wait)  # noqa: B023
                bar.update(state["offset"] - bar.pos)
    return digest


def _send_part(server: str, key: str, digest: str, offset: int, part: bytes, is_last: bool) -> dict[str, Any]:
    """Send one part; when the server has another opinion of where we are, believe the server."""
    path, headers = f"/v1/uploads/{digest}", {"Upload-Offset": str(offset), "Upload-Complete": f"?{int(is_last)}"}
    try:
        return ask("PATCH", server, path, key, data=part, headers=headers)
    except RefusedError as error:
        if error.status != ConflictError.status:
            raise
        return ask("GET", server, path, key)


def _again(attempt: Callable[[], dict[str, Any]], wait: Wait) -> dict[str, Any]:
    for number in range(1, TRIES):
        try:
            return attempt()
        except UnreachableError:
            wait(min(LONGEST_WAIT_S, 0.5 * 2.0**number))
    return attempt()


def _read(server: str, key: str, artifact: dict[str, Any], wait: Wait) -> dict[str, Any]:
    """Return the artifact once a worker has read it; as it is when none does for a while."""
    deadline = time.monotonic() + READ_WITHIN_S
    while not _is_read(artifact) and time.monotonic() < deadline:
        wait(LOOK_EVERY_S)
        found = ask("GET", server, f"/v1/models/{artifact['model']}", key)["artifacts"]
        artifact = next(each for each in found if each["sha256"] == artifact["sha256"])
    return artifact


def _is_read(artifact: dict[str, Any]) -> bool:
    return all(each["facts"] or each["refused"] for each in artifact["companions"]) and bool(
        artifact["needs"] or artifact["refused"]
    )


def _tell(artifact: dict[str, Any]) -> None:
    needs = artifact["needs"]
    if needs:
        shapes = ", ".join(f"{port['name']} {port['dtype']} {_shape(port['shape'])}" for port in needs["inputs"])
        click.echo(f"  {needs['runtime']}, opset {needs['opset']}, {needs['parameters']:,} parameters; takes {shapes}")
    elif artifact["refused"]:
        click.echo(f"  it cannot be optimized here: it {artifact['refused']}")
    else:
        click.echo("  it is still being read, and not offered before; is `muster worker` running?")
    for each in artifact["companions"]:
        if each["facts"] and "rows" in each["facts"]:
            told = each["facts"]
            labels = f", {len(told['classes'])} classes" if told["classes"] else ", no labels"
            values = f"values {told['low']:g} to {told['high']:g}"
            click.echo(f"  {each['role']}: {told['rows']} inputs of {_shape(told['shape'])}, {values}{labels}")


def _unreadable(artifact: dict[str, Any], *, unread: bool) -> list[Problem]:
    """Return why files will not do what they are for; what was refused is offered to nobody, and its name is free."""
    found = [Problem(each["role"], each["refused"]) for each in artifact["companions"] if each["refused"]]
    if artifact["refused"] and not unread:
        found.append(Problem("model", f"{artifact['refused']}; say --unread if the app can read it all the same"))
    return found


def _shape(shape: list[Any]) -> str:
    return "×".join(str(size) for size in shape)


def _plain(value: object) -> str:
    return "1" if value is True else str(value)
