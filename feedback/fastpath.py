"""The fast path: phones' two posts are answered in front of Flask, which costs more than storing a response does."""

from __future__ import annotations

import logging
import secrets
import threading
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from backports import zstd

from core.clock import Clock
from core.db import Databases
from core.errors import AppError
from core.keys import ApiKey, KeyRing
from core.limits import RateLimit
from core.settings import Settings
from feedback.commit import OverloadedError
from feedback.ingest import Collector
from feedback.unpack import MalformedError, TooLargeError
from feedback.wire import Mistake, Refusal, Reply

log = logging.getLogger(__name__)

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
REASONS = {
    200: "200 OK",
    400: "400 Bad Request",
    401: "401 Unauthorized",
    403: "403 Forbidden",
    413: "413 Content Too Large",
    415: "415 Unsupported Media Type",
    422: "422 Unprocessable Content",
    429: "429 Too Many Requests",
    503: "503 Service Unavailable",
}
BURST_S = 2.0
# The server cannot end a read, so a body that never comes holds its thread. Of the 256 of `muster web` the others
# stay for everything else.
BODIES_AT_ONCE = 192
_encode = msgspec.json.Encoder().encode


class UnknownEncodingError(AppError):
    status = 415


class TooFastError(AppError):
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many requests with this API key; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class _Body(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class FastPath:
    """WSGI middleware: answers `POST /v1/batch` and `POST /v1/responses`, hands everything else on."""

    def __init__(
        self,
        inner: Wsgi,
        databases: Databases,
        settings: Settings,
        clock: Clock,
        keys: KeyRing,
        *,
        bodies_at_once: int = BODIES_AT_ONCE,
    ) -> None:
        self._inner = inner
        self._settings = settings
        self._clock = clock
        self._keys = keys
        self._limit = RateLimit(settings.rate_limit_per_s, burst_s=BURST_S)
        self._bodies = threading.BoundedSemaphore(bodies_at_once)
        collector = Collector(databases, settings)
        self._routes = {"/v1/batch": collector.accept_batch, "/v1/responses": collector.accept_response}

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        accept = self._routes.get(environ["PATH_INFO"])
        if accept is None:
            return self._inner(environ, start_response)
        if environ["REQUEST_METHOD"] != "POST":
            start_response("405 Method Not Allowed", [("Content-Type", "application/json"), ("Allow", "POST")])
            return [_encode(Refusal(error="This takes POST only."))]
        status, retry_after_s, body = self._answer(environ, accept)
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if retry_after_s is not None:
            headers.append(("Retry-After", str(retry_after_s)))
        if status == 401:
            headers.append(("WWW-Authenticate", "Bearer"))
        start_response(REASONS.get(status, f"{status} Error"), headers)
        return [body]

    def _answer(self, environ: dict[str, Any], accept: Callable[..., Reply]) -> tuple[int, int | None, bytes]:
        try:
            key = self._check(environ)
            reply = accept(self._read(environ), app=key.app, now=self._clock())
        except (OverloadedError, TooFastError) as error:
            return error.status, error.retry_after_s, _refusal(error)
        except AppError as error:
            return error.status, None, _refusal(error)
        except sa.exc.SQLAlchemyError as error:
            log.warning("collector.unavailable", extra={"error": type(error).__name__})
            return 503, 5, _encode(Refusal(error="The database cannot be reached; try again."))
        except Exception:
            error_id = secrets.token_hex(4)
            log.exception("collector.failed", extra={"error_id": error_id})
            return 503, 30, _encode(Refusal(error=f"Something went wrong here (error {error_id}); try again."))
        is_refused = environ["PATH_INFO"] == "/v1/responses" and reply.rejected > 0
        return 422 if is_refused else 200, None, _encode(reply)

    def _check(self, environ: dict[str, Any]) -> ApiKey:
        told = environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_X_API_KEY")
        key = self._keys.check(told, "public", "secret")
        wait_s = self._limit.wait_s(key.id)
        if wait_s > 0:
            raise TooFastError(wait_s)
        return key

    def _read(self, environ: dict[str, Any]) -> bytes:
        largest = self._settings.max_body_bytes
        told = environ.get("CONTENT_LENGTH") or ""
        if told.isdigit() and int(told) > largest:
            raise TooLargeError(f"The body must have at most {largest} bytes; send it in parts.")
        if not self._bodies.acquire(blocking=False):
            raise OverloadedError("Too many bodies are on their way.", retry_after_s=5)
        try:
            body = _read_up_to(environ["wsgi.input"], int(told) if told.isdigit() else largest + 1)
        finally:
            self._bodies.release()
        if len(body) > largest:
            raise TooLargeError(f"The body must have at most {largest} bytes; send it in parts.")
        return inflate(body, environ.get("HTTP_CONTENT_ENCODING", ""), self._settings.max_inflated_bytes)


def inflate(body: bytes, encoding: str, largest: int) -> bytes:
    """Undo a Content-Encoding without ever making more than `largest` bytes of it.

    Raises: UnknownEncodingError 415; TooLargeError 413; MalformedError 400: it is not what it says, or is cut off.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "zstd"):
        raise UnknownEncodingError(f"Content-Encoding {encoding[:40]!r} is not understood; use gzip or zstd.")
    try:
        plain, is_whole = _unzstd(body, largest) if encoding == "zstd" else _gunzip(body, largest)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise MalformedError(f"The body is not {encoding}: {error}.") from error
    if len(plain) > largest:
        raise TooLargeError(f"The body inflates to more than {largest} bytes; send it in parts.")
    if not is_whole:
        raise MalformedError(f"The body is not {encoding}: it is cut off.")
    return plain


def _gunzip(body: bytes, largest: int) -> tuple[bytes, bool]:
    inflater = zlib.decompressobj(wbits=31)
    plain = inflater.decompress(body, largest + 1)
    return plain, inflater.eof


def _unzstd(body: bytes, largest: int) -> tuple[bytes, bool]:
    inflater = zstd.ZstdDecompressor()
    plain = inflater.decompress(body, largest + 1)
    return plain, inflater.eof


def _read_up_to(stream: _Body, size: int) -> bytes:
    """Read at most `size` bytes: all of a body of known length, and no more than that of a chunked one."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _refusal(error: AppError) -> bytes:
    problems = [Mistake(path=problem.path, message=problem.message) for problem in error.problems]
    return _encode(Refusal(error=error.message, problems=problems))
