"""Uploads: drafts of files that are still coming, in a folder, each under the digest it will have.

A draft grows only at its end and one writer at a time has it, so whoever was cut off asks how far it got and goes on
there: after a lost connection, a killed client or a killed server alike.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO

from core.errors import ConflictError
from core.folders import make_private
from releases.blobs import Blobs, TooLargeError


class WrongOffsetError(ConflictError):
    """The draft has another length than the sender thinks; `offset` is where to go on."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"The upload stands at byte {offset}; go on there.")
        self.offset = offset


class Uploads:
    """`<folder>/uploads/<app>/<sha256>`, until the whole file is there and moves to the blobs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "uploads"
        self._blobs = Blobs(folder)

    def offset(self, app: str, sha256: str) -> int:
        """Return how many bytes have come."""
        path = self._draft(app, sha256)
        return path.stat().st_size if path.is_file() else 0

    def append(self, app: str, sha256: str, offset: int, chunks: Iterable[bytes], *, max_bytes: int) -> int:
        """Add bytes at the end and return the new length; what came before a connection broke stays.

        Raises: WrongOffsetError; ConflictError: somebody else sends this file just now; TooLargeError.
        """
        with self._alone(app, sha256) as draft:
            length = draft.tell()
            if offset != length:
                raise WrongOffsetError(length)
            for chunk in chunks:
                if length + len(chunk) > max_bytes:
                    raise TooLargeError(f"A file has at most {max_bytes} bytes here.")
                draft.write(chunk)
                draft.flush()
                length += len(chunk)
            return length

    def finish(self, app: str, sha256: str, *, max_bytes: int) -> int:
        """Check the whole and move it to the blobs; return its bytes. A draft with another digest is thrown away.

        Raises: InvalidInputError: the bytes are none or have another digest.
        """
        path = self._draft(app, sha256)
        with self._alone(app, sha256):
            try:
                return self._blobs.adopt(path, sha256=sha256, max_bytes=max_bytes)
            except Exception:
                path.unlink(missing_ok=True)
                raise

    def forget(self, before: datetime) -> int:
        """Delete drafts that nobody has added to since; return how many."""
        gone = 0
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    gone += 1
        return gone

    def _draft(self, app: str, sha256: str) -> Path:
        return self._folder / hashlib.sha256(app.encode()).hexdigest()[:16] / sha256

    @contextlib.contextmanager
    def _alone(self, app: str, sha256: str) -> Iterator[IO[bytes]]:
        path = self._draft(app, sha256)
        make_private(path.parent)
        with path.open("ab") as draft:
            try:
                fcntl.flock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError("This file is being sent by somebody else just now; try again soon.") from None
            yield draft
