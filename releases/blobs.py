"""Blobs: model files in a folder, each under its own digest. A file is there whole and verified, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from core.errors import AppError, InvalidInputError, Problem


class TooLargeError(AppError):
    status = 413


class Blobs:
    """`<folder>/ab/ab34…`, written beside and renamed into place, so readers never see half a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path | None:
        """Return where the file lies, None if it is not there."""
        path = self._place(sha256)
        return path if path.is_file() else None

    def put(self, chunks: Iterable[bytes], *, sha256: str, max_bytes: int) -> int:
        """Keep the bytes under their digest and return their number; the same bytes again change nothing.

        Raises: InvalidInputError: the bytes are none or have another digest; TooLargeError: more than `max_bytes`.
        """
        incoming = self._folder / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        draft = incoming / f"{sha256[:16]}-{secrets.token_hex(8)}"
        try:
            size = _write(draft, chunks, sha256=sha256, max_bytes=max_bytes)
            place = self._place(sha256)
            place.parent.mkdir(exist_ok=True)
            draft.replace(place)
            _sync(place.parent)
            return size
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()

    def _place(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256


def _write(draft: Path, chunks: Iterable[bytes], *, sha256: str, max_bytes: int) -> int:
    digest, size = hashlib.sha256(), 0
    with draft.open("xb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise TooLargeError(f"A model file has at most {max_bytes} bytes here.")
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if not size:
        raise InvalidInputError(Problem("body", "is empty; send the bytes of the file"))
    if digest.hexdigest() != sha256:
        raise InvalidInputError(Problem("sha256", f"does not fit the {size} bytes that came: {digest.hexdigest()}"))
    return size


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
