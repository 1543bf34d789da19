"""Blobs: model files in a folder, each under its own digest. A file is there whole and verified, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from core.errors import AppError, InvalidInputError, NotFoundError, Problem
from core.folders import make_private


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
        make_private(incoming)
        draft = incoming / f"{sha256[:16]}-{secrets.token_hex(8)}"
        try:
            size = _write(draft, chunks, sha256=sha256, max_bytes=max_bytes)
            place = self._place(sha256)
            make_private(place.parent)
            draft.replace(place)
            _sync(place.parent)
            return size
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()

    def adopt(self, path: Path, *, sha256: str, max_bytes: int) -> int:
        """Move a file of the same disk to where its digest belongs. Raises: as `put`; then the file stays."""
        size = _check(path, sha256=sha256, max_bytes=max_bytes)
        place = self._place(sha256)
        make_private(place.parent)
        path.replace(place)
        _sync(place.parent)
        return size

    def read(self, sha256: str) -> bytes:
        """Raises: NotFoundError: it is not here."""
        path = self.path(sha256)
        if path is None:
            raise NotFoundError(f"The file {sha256[:12]}… is not here.")
        return path.read_bytes()

    def head(self, sha256: str, length: int = 16) -> bytes:
        """Return the first bytes of a file, none when it is not here."""
        path = self.path(sha256)
        if path is None:
            return b""
        with path.open("rb") as file:
            return file.read(length)

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
    _require(sha256, size, digest.hexdigest())
    return size


def _check(path: Path, *, sha256: str, max_bytes: int) -> int:
    size = path.stat().st_size
    if size > max_bytes:
        raise TooLargeError(f"A file has at most {max_bytes} bytes here.")
    with path.open("rb") as file:
        os.fsync(file.fileno())
        _require(sha256, size, hashlib.file_digest(file, "sha256").hexdigest())
    return size


def _require(sha256: str, size: int, found: str) -> None:
    if not size:
        raise InvalidInputError(Problem("body", "is empty; send the bytes of the file"))
    if found != sha256:
        raise InvalidInputError(Problem("sha256", f"does not fit the {size} bytes that came: {found}"))


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
