"""Registering a model from files that were shared with the bot: `model register kws 1.4.0` with the files attached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bot import permissions
from bot.context import Context
from bot.flows import slack_files
from bot.flows.registry import read
from bot.flows.slack_files import Shared
from core.db import reading
from core.errors import InvalidInputError, Problem
from releases import registry, training
from releases.artifacts import Artifact
from releases.blobs import Blobs
from releases.registry import MODEL

OPTIONS: Final = ("variant", "runtime", "min_os", "min_app", "min_ram_gb", "accelerators", "trained")
NO_DIGEST: Final = "0" * 64
HOW: Final = "send the model file (and an .npz with inputs) in one message: `@muster model register kws 1.4.0`, or as a direct message; Slack lets slash commands carry no files"  # noqa: E501


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """`artifact` is None after a dry run."""

    artifact: Artifact | None
    is_new: bool
    files: tuple[Shared, ...]


def register(
    ctx: Context, told: Mapping[str, str], ids: tuple[str, ...], *, by: str, now: datetime, unread: bool,
    dry_run: bool,
) -> Registered:  # fmt: skip
    """Fetch the files, read them and register them; `told` has model, version and limits. `unread`: the model need
    not be readable.

    Raises: InvalidInputError: with every mistake; NotAllowedError; ConflictError; UpstreamError.
    """
    stated = {"variant": "fp32", "runtime": "onnxruntime"} | dict(told)
    wanted, trained = training.read_stated(NO_DIGEST, stated, now.date())
    if not ids:
        raise InvalidInputError(Problem("files", HOW))
    admins = ctx.settings.slack_admins
    with reading(ctx.databases.control) as session:
        permissions.require(session, admins, by, ("operator",), model=told["model"], act=f"register {told['model']}")
    shared = slack_files.look_up(ctx, ids)
    if MODEL not in {each.role for each in shared}:
        raise InvalidInputError(Problem("files", f"hold no model: {', '.join(each.name for each in shared)}"))
    if dry_run:
        return Registered(artifact=None, is_new=False, files=shared)
    fetched = {each.role: slack_files.fetch(ctx, each) for each in shared}
    _read(ctx, {role: sha256 for role, (sha256, _) in fetched.items()}, unread=unread)
    app = ctx.settings.app
    with ctx.databases.control.begin() as session:
        for sha256, size in fetched.values():
            registry.note_file(session, app=app, sha256=sha256, size_bytes=size, by=by, now=now)
        sha256, size = fetched.pop(MODEL)
        artifact = replace(wanted, sha256=sha256, size_bytes=size, awaits_reading=False)
        companions = {role: digest for role, (digest, _) in fetched.items()}
        kept, is_new = registry.register(session, artifact, app=app, by=by, now=now, companions=companions)
        if trained is not None:
            training.note(session, trained, app=app, model=kept.model, version=kept.version, by=by, now=now)
    return Registered(artifact=kept, is_new=is_new, files=shared)


def _read(ctx: Context, named: Mapping[str, str], *, unread: bool) -> None:
    """Raises: InvalidInputError: with every file that cannot be read."""
    found = read(Blobs(ctx.settings.blob_dir), named)
    problems = [Problem(role, each.refused) for role, each in found.items() if each.refused and role != MODEL]
    if (refused := found[MODEL].refused) and not unread:
        problems.insert(0, Problem(MODEL, f"{refused}; say --unread if the app can read it all the same"))
    if problems:
        raise InvalidInputError(*problems)
