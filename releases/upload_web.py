"""Uploads over HTTP (`sk_…`): a file comes in parts under the digest it will have, and goes on where it stopped.

The headers are those of resumable uploads for HTTP: `Upload-Offset`, `Upload-Complete`.
https://datatracker.ietf.org/doc/draft-ietf-httpbis-resumable-upload/
The address is the content's digest, so nothing has to be remembered between two attempts.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import ClientDisconnected

from core.clock import Clock
from core.db import Databases, reading
from core.errors import AppError, InvalidInputError, Problem
from core.keys import KeyRing
from core.settings import Settings
from releases import registry
from releases.artifacts import SHA256
from releases.blobs import Blobs, TooLargeError
from releases.uploads import Uploads, WrongOffsetError

CHUNK_BYTES = 1 << 18


class CutOffError(AppError):
    status = 400

    def __init__(self) -> None:
        super().__init__("The connection broke before all bytes were here; ask how far it got and go on there.")


def blueprint(databases: Databases, settings: Settings, clock: Clock, keys: KeyRing) -> Blueprint:
    routes = Blueprint("uploads", __name__)
    uploads, blobs = Uploads(settings.blob_dir), Blobs(settings.blob_dir)

    @routes.get("/v1/uploads/<sha256>")
    def _stands(sha256: str) -> Response:
        key = keys.check_headers(request.headers, "secret")
        _require_digest(sha256)
        with reading(databases.control) as session:
            size = registry.size_of(session, app=key.app, sha256=sha256)
        if size is None or blobs.path(sha256) is None:  # a restored database may know more than the folder has
            return _state(sha256, uploads.offset(key.app, sha256), is_complete=False)
        return _state(sha256, size, is_complete=True)

    @routes.patch("/v1/uploads/<sha256>")
    def _append(sha256: str) -> Response:
        key = keys.check_headers(request.headers, "secret")
        offset, is_last = _asked(sha256)
        most = settings.max_artifact_bytes
        if offset + (request.content_length or 0) > most:
            raise TooLargeError(f"A file has at most {most} bytes here.")
        length = uploads.append(key.app, sha256, offset, _chunks(), max_bytes=most)
        if is_last:
            length = uploads.finish(key.app, sha256, max_bytes=most)
            with databases.control.begin() as session:
                registry.note_file(session, app=key.app, sha256=sha256, size_bytes=length, by=key.id, now=clock())
        return _state(sha256, length, is_complete=is_last)

    @routes.errorhandler(WrongOffsetError)
    def _elsewhere(error: WrongOffsetError) -> tuple[Response, int]:
        reply = jsonify(error=error.message, problems=[])
        reply.headers["Upload-Offset"] = str(error.offset)
        return reply, error.status

    return routes


def _asked(sha256: str) -> tuple[int, bool]:
    """Return where the part begins and whether it is the last. Raises: InvalidInputError: with every mistake."""
    problems = [] if SHA256.fullmatch(sha256) else [_wrong_digest()]
    offset, complete = request.headers.get("Upload-Offset", ""), request.headers.get("Upload-Complete", "?0")
    if not (offset.isascii() and offset.isdigit() and len(offset) <= 15):
        problems.append(Problem("Upload-Offset", "must be the number of bytes that came before, such as 0"))
    if complete not in ("?0", "?1"):
        problems.append(Problem("Upload-Complete", "must be ?1 for the last part, else ?0"))
    if problems:
        raise InvalidInputError(*problems)
    return int(offset), complete == "?1"


def _require_digest(sha256: str) -> None:
    if not SHA256.fullmatch(sha256):
        raise InvalidInputError(_wrong_digest())


def _wrong_digest() -> Problem:
    return Problem("sha256", "must be 64 lower-case hexadecimal digits")


def _chunks() -> Iterator[bytes]:
    """Yield what comes. Raises: CutOffError: not all of it did; what came before is kept all the same."""
    stream, came = request.stream, 0
    try:
        while chunk := stream.read(CHUNK_BYTES):
            came += len(chunk)
            yield chunk
    except (ClientDisconnected, OSError) as error:
        raise CutOffError from error
    if request.content_length is not None and came < request.content_length:
        raise CutOffError


def _state(sha256: str, offset: int, *, is_complete: bool) -> Response:
    reply = jsonify(sha256=sha256, offset=offset, is_complete=is_complete)
    reply.headers["Upload-Offset"] = str(offset)
    reply.headers["Upload-Complete"] = "?1" if is_complete else "?0"
    reply.headers["Cache-Control"] = "no-store"
    return reply
