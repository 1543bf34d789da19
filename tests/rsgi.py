"""RSGI without a server: asks an application of granian's interface as a WSGI server would be asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from granian.rsgi import ProtocolClosed


@dataclass(slots=True, kw_only=True)
class Scope:
    method: str = "GET"
    path: str = "/"
    query_string: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    http_version: str = "1.1"
    server: str = "127.0.0.1:8000"
    client: str = "127.0.0.1:50000"
    scheme: str = "http"
    authority: str | None = None


class Protocol:
    """One exchange: gives the body in `parts`, hangs or breaks after them, keeps what is answered.

    Of a stream `takes` parts are taken before the client leaves.
    """

    def __init__(self, *parts: bytes, then: str = "end", takes: int = 1_000_000) -> None:
        self.parts, self.then, self.takes = parts, then, takes
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.sent: list[bytes] = []

    @property
    def body(self) -> bytes:
        return b"".join(self.sent)

    async def __call__(self) -> bytes:
        parts = [part async for part in self]
        if self.then == "break":
            raise ProtocolClosed
        return b"".join(parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part
        if self.then == "hang":
            await asyncio.Event().wait()

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.response_bytes(status, headers, b"")

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.sent = status, headers, [body]

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Protocol:
        self.status, self.headers = status, headers
        return self

    async def send_bytes(self, part: bytes) -> None:
        if len(self.sent) >= self.takes:
            raise ProtocolClosed
        self.sent.append(part)


def ask(app: Callable[[Any, Any], Any], scope: Scope, protocol: Protocol) -> Protocol:
    """Return the exchange when the application is done with it."""

    async def done() -> None:
        await app(scope, protocol)

    asyncio.run(done())
    return protocol


def as_wsgi(app: Callable[[Any, Any], Any]) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """Return the application as WSGI, which werkzeug's client asks; each request has an event loop of its own."""

    def asked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = {name[5:].replace("_", "-").lower(): environ[name] for name in environ if name.startswith("HTTP_")}
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            headers |= {name.replace("_", "-").lower(): environ[name]} if environ.get(name) else {}
        length = environ.get("CONTENT_LENGTH")
        stream = environ["wsgi.input"]
        parts = [stream.read(int(length))] if length else list(iter(lambda: stream.read(65_536), b""))
        scope = Scope(
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"].encode("latin-1").decode(),
            query_string=environ["QUERY_STRING"],
            headers=headers,
        )
        answer = ask(app, scope, Protocol(*parts))
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
        return answer.sent

    return asked
