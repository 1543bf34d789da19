"""WSGI middleware that answers phones' two posts in front of Flask, for servers that give each request a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Protocol

from feedback.intake import PATHS, Answer, Head, Intake

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class _Body(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class FastPath:
    """Answers `POST /v1/batch` and `POST /v1/responses`, hands everything else on."""

    def __init__(self, inner: Wsgi, intake: Intake) -> None:
        self._inner = inner
        self._intake = intake

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in PATHS:
            return self._inner(environ, start_response)
        status, headers, body = self._answer(environ)
        start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        intake, head = self._intake, _head(environ)
        try:
            key = intake.admit(head)
            body = _read_up_to(environ["wsgi.input"], intake.largest + 1 if head.length is None else head.length)
            opened = intake.open(head, key, body)
            return intake.reply(head, opened, intake.commits.submit(opened.letters))
        except Exception as error:
            return intake.refuse(error)


def _head(environ: dict[str, Any]) -> Head:
    length = environ.get("CONTENT_LENGTH") or ""
    return Head(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        key=environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_X_API_KEY"),
        encoding=environ.get("HTTP_CONTENT_ENCODING", ""),
        length=int(length) if length.isdigit() else None,
    )


def _read_up_to(stream: _Body, size: int) -> bytes:
    """Read at most `size` bytes: all of a body of known length, and no more than that of a chunked one."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
