"""Shelf: what a job has made so far, by content; so a job that was killed goes on where it stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from core.folders import make_private


def shelf_folder(blobs: Path) -> Path:
    """Return where the shelf of a house's jobs is: beside its blobs, so that every worker reaches it."""
    return blobs / "shelf"


class Shelf:
    """Files by their SHA-256, and facts by a key. Writing is atomic; writing the same twice changes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("files", "facts"):
            make_private(folder / name)

    def put(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self._write(self._folder / "files" / sha256, content)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Raises: KeyError: it is not here, or not what it was."""
        path = self._folder / "files" / Path(sha256).name
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise KeyError(sha256)
        return content

    def note(self, key: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._write(self._fact(key), json.dumps(facts, sort_keys=True).encode())

    def recall(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the facts noted under an equal key; None when there are none, or they are damaged."""
        try:
            facts = json.loads(self._fact(key).read_bytes())
        except (OSError, ValueError):
            return None
        return facts if isinstance(facts, dict) else None

    def forget(self, before: datetime) -> int:
        """Delete what was written before a moment; return how many. A job that wants it finds it out again."""
        gone = 0
        for path in (*self._folder.glob("files/*"), *self._folder.glob("facts/*")):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    gone += 1
        return gone

    def _fact(self, key: Mapping[str, Any]) -> Path:
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self._folder / "facts" / f"{name}.json"

    def _write(self, path: Path, content: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=path.parent)
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
