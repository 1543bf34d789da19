"""Runs a WSGI application on threads behind an event loop that speaks RSGI, granian's own interface.

Small bodies are read before a thread is taken, so one that comes slowly holds none. Large ones, and answers without
Content-Length (server-sent events), go through in parts; whoever leaves ends the answer at its next part.
"""

from __future__ import annotations

import asyncio
import io
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar

from granian.rsgi import ProtocolClosed

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Value = TypeVar("Value")
THREADS: Final = 256
# Bodies and answers up to this are handed over whole.
WHOLE_BYTES: Final = 64 * 1024
CUT_OFF: Final = b'{"error":"The body is shorter than its Content-Length.","problems":[]}'
TOO_SLOW: Final = b'{"error":"The body was not here in time; send it again.","problems":[]}'


class Bridge:
    """RSGI outside, WSGI inside. `body_within_s` is for a small body, and for each part of a large one."""

    def __init__(self, app: Wsgi, *, body_within_s: float, threads: int = THREADS) -> None:
        self._app = app
        self._body_within_s = body_within_s
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="flask")

    async def __call__(self, scope: Any, protocol: Any) -> None:
        loop, length = asyncio.get_running_loop(), _length(scope)
        body: io.BufferedIOBase
        if length is None or length > WHOLE_BYTES:
            body = io.BufferedReader(_Incoming(protocol, loop, part_within_s=self._body_within_s), WHOLE_BYTES)
        else:
            try:
                async with asyncio.timeout(self._body_within_s):
                    body = io.BytesIO(await protocol() if length else b"")
            except TimeoutError:
                protocol.response_bytes(408, [("Content-Type", "application/json"), ("Connection", "close")], TOO_SLOW)
                return
            except ProtocolClosed:  # whoever closed only their own half still hears it
                protocol.response_bytes(400, [("Content-Type", "application/json"), ("Connection", "close")], CUT_OFF)
                return
        made = _environ(scope, body, ends_by_itself=length is None)
        await loop.run_in_executor(self._threads, _run, self._app, made, protocol, loop)


def set_when_told_to_stop(stopping: threading.Event) -> None:
    """Set it at SIGTERM and SIGINT, so that answers without an end can end.

    For `__rsgi_init__`: granian hears of signals by its loop's wakeup descriptor, which a handler leaves as it is."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())


def _environ(scope: Any, body: io.BufferedIOBase, *, ends_by_itself: bool) -> dict[str, Any]:
    """Return a request as PEP 3333 has it."""
    host, _, port = scope.server.rpartition(":")
    made: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if ends_by_itself:  # werkzeug's flag; its presence alone says so
        made["wsgi.input_terminated"] = True
    for name, value in scope.headers.items():
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        between = "; " if key == "HTTP_COOKIE" else ","
        made[key] = f"{made[key]}{between}{value}" if key in made else value
    if scope.authority:
        made.setdefault("HTTP_HOST", scope.authority)
    return made


class _Head(NamedTuple):
    status: int
    headers: list[tuple[str, str]]

    @property
    def length(self) -> int | None:
        told = next((value for name, value in self.headers if name.lower() == "content-length"), None)
        return None if told is None else int(told)


def _run(app: Wsgi, made: dict[str, Any], protocol: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Ask the application and send its answer. On a thread."""
    heads: list[_Head] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
        heads.append(_Head(int(status[:3]), headers))

    answer = app(made, start_response)
    try:
        parts = iter(answer)
        first = next(parts, b"")  # an application may call start_response as late as this
        head = heads[-1]
        if head.status in (204, 304):
            protocol.response_empty(head.status, head.headers)
        elif head.length is not None and head.length <= WHOLE_BYTES:
            protocol.response_bytes(head.status, head.headers, b"".join([first, *parts]))
        else:
            stream = protocol.response_stream(head.status, head.headers)
            for part in _grouped(chain([first], parts), at_least=1 if head.length is None else WHOLE_BYTES):
                _wait(loop, stream.send_bytes, part)
    except ProtocolClosed:
        return
    finally:
        getattr(answer, "close", lambda: None)()


def _grouped(parts: Iterable[bytes], *, at_least: int) -> Iterator[bytes]:
    """Yield the same bytes in parts of at least so many, the last one aside."""
    kept: list[bytes] = []
    size = 0
    for part in parts:
        kept.append(part)
        size += len(part)
        if size >= at_least:
            yield b"".join(kept)
            kept, size = [], 0
    if size:
        yield b"".join(kept)


class _Incoming(io.RawIOBase):
    """A body as it comes, for a thread. It ends early where the line broke, and raises TimeoutError where it hangs."""

    def __init__(self, protocol: Any, loop: asyncio.AbstractEventLoop, *, part_within_s: float) -> None:
        self._parts = aiter(protocol)
        self._loop = loop
        self._part_within_s = part_within_s
        self._kept = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._kept:
            self._kept = memoryview(_wait(self._loop, self._next))
        size = min(len(buffer), len(self._kept))
        buffer[:size] = self._kept[:size]
        self._kept = self._kept[size:]
        return size

    async def _next(self) -> bytes:
        async with asyncio.timeout(self._part_within_s):
            return await anext(self._parts, b"")


def _wait(loop: asyncio.AbstractEventLoop, work: Callable[..., Awaitable[Value]], *arguments: object) -> Value:
    """Have the loop do it and wait on this thread."""

    async def awaited() -> Value:
        return await work(*arguments)

    return asyncio.run_coroutine_threadsafe(awaited(), loop).result()


def _length(scope: Any) -> int | None:
    """Return how many bytes the body has; None when that is not told."""
    headers = scope.headers
    if (told := headers.get("content-length")) is not None:
        return int(told)
    # Without either header a body of HTTP/1 is empty; HTTP/2 needs neither.
    is_empty = "transfer-encoding" not in headers and (scope.http_version.startswith("1") or scope.method == "GET")
    return 0 if is_empty else None
