"""Files that people share with the bot: looked up, fetched with the bot's own token, and kept by their content.

https://docs.slack.dev/reference/objects/file-object
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.context import Context
from core.errors import InvalidInputError, NotAllowedError, Problem, UpstreamError
from core.folders import make_private
from releases.blobs import Blobs, TooLargeError
from releases.registry import CALIBRATION, EVALUATION, MODEL, SCRIPT

TIMEOUT_S: Final = (5, 120)
CHUNK_BYTES: Final = 1 << 20
MOST_FILES: Final = 4
HOSTED: Final = frozenset({"hosted", "snippet"})  # an external file's address is not Slack's: our token stays here
_CALIBRATES: Final = re.compile(r"calib", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A file as Slack tells of it. `role`: model, eval, calib or train_script, by its name."""

    id: str
    name: str
    size_bytes: int
    url: str
    role: str


def role_of(name: str) -> str:
    """An npz holds inputs, to calibrate by if its name says so; Python is a training script; the rest is a model."""
    suffix = Path(name).suffix.lower()
    if suffix == ".npz":
        return CALIBRATION if _CALIBRATES.search(name) else EVALUATION
    return SCRIPT if suffix == ".py" else MODEL


def look_up(ctx: Context, ids: tuple[str, ...]) -> tuple[Shared, ...]:
    """Ask Slack about files.

    Raises: InvalidInputError: with every one that cannot be taken; NotAllowedError: the app may not read files;
        UpstreamError: Slack cannot just now.
    """
    if len(ids) > MOST_FILES:
        raise InvalidInputError(Problem("files", f"are {len(ids)}; send one model and at most three files beside it"))
    found, problems = [], []
    for file_id in ids:
        facts = _info(ctx, file_id)
        name, size = str(facts.get("name") or file_id), int(facts.get("size") or 0)
        url = str(facts.get("url_private_download") or facts.get("url_private") or "")
        if (
            facts.get("is_external")
            or facts.get("mode") not in HOSTED
            or not is_slacks(ctx.settings.slack_api_url, url)
        ):
            problems.append(Problem(name, "does not lie with Slack; upload the file itself"))
        elif size > ctx.settings.max_artifact_bytes:
            problems.append(Problem(name, f"is larger than the {ctx.settings.max_artifact_bytes} bytes that are taken"))
        elif size == 0:
            problems.append(Problem(name, "is empty; attach the file again"))
        found.append(Shared(id=file_id, name=name, size_bytes=size, url=url, role=role_of(name)))
    roles = [each.role for each in found]
    problems += [
        Problem("files", f"hold {roles.count(role)} of the kind {role}; send one")
        for role in sorted(set(roles))
        if roles.count(role) > 1
    ]
    if problems:
        raise InvalidInputError(*problems)
    return tuple(found)


def fetch(ctx: Context, shared: Shared) -> tuple[str, int]:
    """Fetch a file into the blobs; return its SHA-256 and size.

    Raises: UpstreamError: it did not come whole (passing); TooLargeError; NotAllowedError: Slack shows a log-in page.
    """
    folder = ctx.settings.blob_dir / "uploads" / "slack"
    make_private(folder)
    draft = folder / f"{shared.id}-{secrets.token_hex(4)}"
    digest, size = hashlib.sha256(), 0
    try:
        with draft.open("xb") as file:
            for chunk in _chunks(ctx, shared):
                size += len(chunk)
                if size > ctx.settings.max_artifact_bytes:
                    raise TooLargeError(f"A file has at most {ctx.settings.max_artifact_bytes} bytes here.")
                digest.update(chunk)
                file.write(chunk)
        if size != shared.size_bytes:
            raise UpstreamError(
                "slack", f"{shared.name} came with {size} of {shared.size_bytes} bytes", permanent=False
            )
        sha256 = digest.hexdigest()
        Blobs(ctx.settings.blob_dir).adopt(draft, sha256=sha256, max_bytes=ctx.settings.max_artifact_bytes)
        return sha256, size
    finally:
        draft.unlink(missing_ok=True)


def _info(ctx: Context, file_id: str) -> dict[str, Any]:
    try:
        reply = ctx.slack.files_info(file=file_id)
    except SlackApiError as error:
        reason = str(error.response.get("error"))
        if reason == "missing_scope":
            raise NotAllowedError(
                "The Slack app may not read files: it needs the scope files:read, which the manifest has; reinstall it."
            ) from error
        if reason in ("file_not_found", "file_deleted"):
            raise InvalidInputError(Problem("files", "cannot be found; were they deleted? Send them again")) from error
        raise UpstreamError("slack", reason, permanent=False) from error
    except (SlackClientError, OSError) as error:
        raise UpstreamError("slack", type(error).__name__, permanent=False) from error
    facts: dict[str, Any] = dict(reply.get("file") or {})
    return facts


def is_slacks(api_url: str, url: str) -> bool:
    """Whether an address is Slack's own, so that our token may be shown there."""
    parts, api = urlsplit(url), urlsplit(api_url)
    if (parts.scheme, parts.netloc) == (api.scheme, api.netloc):
        return True
    host = parts.hostname or ""
    return parts.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))


def _chunks(ctx: Context, shared: Shared) -> Iterator[bytes]:
    headers = {"Authorization": f"Bearer {ctx.settings.slack_bot_token}"}
    try:
        with requests.get(
            shared.url, headers=headers, stream=True, timeout=TIMEOUT_S, allow_redirects=False
        ) as reply:  # fmt: skip
            if reply.status_code != 200 or reply.headers.get("Content-Type", "").startswith("text/html"):
                if reply.status_code in (429, 500, 502, 503, 504):
                    raise UpstreamError("slack", f"HTTP {reply.status_code}", permanent=False)
                raise NotAllowedError(f"Slack does not give me {shared.name}; does the app have the scope files:read?")
            yield from reply.iter_content(CHUNK_BYTES)
    except requests.RequestException as error:
        raise UpstreamError("slack", type(error).__name__, permanent=False) from error
