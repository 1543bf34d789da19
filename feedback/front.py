"""The front of the web process: an event loop that answers phones' two posts and hands everything else on.

It speaks RSGI, granian's own interface: https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
A body that comes slowly holds no thread here. What takes longer than a millisecond or so is done on threads, so that
nobody waits for somebody else's large batch, or for a database that does not answer.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from granian.rsgi import ProtocolClosed

from core.bridge import set_when_told_to_stop
from core.deadlines import Deadlines
from core.errors import AppError, NotRememberedError
from core.keys import ApiKey
from feedback.commit import OverloadedError
from feedback.ingest import Opened
from feedback.intake import BRIEF_BYTES, BRIEF_ITEMS, PATHS, Answer, Head, Intake
from feedback.unpack import MalformedError, TooLargeError

Rsgi = Callable[[Any, Any], Awaitable[None]]
Value = TypeVar("Value")
THREADS: Final = 4
# A large body has longer than a small one: a phone on a bad line may send it.
SLOWEST_BYTES_PER_S: Final = 16 * 1024
# Small bodies are always read; of large ones no more than so many bytes are here at once, read or not.
LARGE_BYTES_AT_ONCE: Final = 256 * 1024 * 1024


class SlowBodyError(AppError):
    status = 408


class Front:
    """Answers `POST /v1/batch` and `POST /v1/responses` in the event loop that calls it.

    `stopping` is set once the server is told to stop.
    """

    def __init__(
        self, inner: Rsgi, intake: Intake, *, body_within_s: float, stopping: threading.Event | None = None
    ) -> None:
        self._inner = inner
        self._stopping = stopping
        self._intake = intake
        self._body_within_s = body_within_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="intake")
        self._deadlines = Deadlines(min(1.0, body_within_s / 4))
        self._large_bytes = 0

    def __rsgi_init__(self, _loop: asyncio.AbstractEventLoop) -> None:
        gc.freeze()  # what is here now stays, and need not be looked through again and again
        if self._stopping is not None:
            set_when_told_to_stop(self._stopping)

    async def __call__(self, scope: Any, protocol: Any) -> None:
        if scope.path not in PATHS:
            await self._inner(scope, protocol)
            return
        try:
            status, headers, body = await self._answer(_head(scope), protocol)
        except ProtocolClosed:  # the phone went away; one that closed only its own half still hears it
            status, headers, body = self._intake.refuse(MalformedError("The body is shorter than its Content-Length."))
        protocol.response_bytes(status, headers, body)

    async def _answer(self, head: Head, protocol: Any) -> Answer:
        intake = self._intake
        try:
            key = self._known_key(head)
            if key is None:
                key = await self._elsewhere(intake.admit, head)
            opened = await self._open(head, key, protocol)
            outcomes = await intake.commits.commit(opened.letters)
            if len(opened.items) <= BRIEF_ITEMS:
                return intake.reply(head, opened, outcomes)
            return await self._elsewhere(intake.reply, head, opened, outcomes)
        except ProtocolClosed:
            raise
        except Exception as error:
            return intake.refuse(error)

    def _known_key(self, head: Head) -> ApiKey | None:
        try:
            return self._intake.admit(head, briefly=True)
        except NotRememberedError:
            return None

    async def _open(self, head: Head, key: ApiKey, protocol: Any) -> Opened:
        """Read and check a body; a large one counts among those that are here until it was.

        Raises: SlowBodyError 408; ProtocolClosed: the line broke; OverloadedError 503; as `Intake.open`.
        """
        expected = self._intake.largest if head.length is None else head.length
        within_s = self._body_within_s + expected / SLOWEST_BYTES_PER_S
        large = expected if expected > BRIEF_BYTES else 0
        if large and self._large_bytes + large > LARGE_BYTES_AT_ONCE:
            raise OverloadedError("Too many large bodies are on their way.", retry_after_s=5)
        self._large_bytes += large
        try:
            reading = _read_up_to(protocol, expected + 1) if head.length is None else protocol()
            try:
                body: bytes = await self._deadlines.wait(reading, within_s)
            except TimeoutError:
                raise SlowBodyError(f"The body was not here within {within_s:.0f} s; send less at once.") from None
            opened = self._opened_here(head, key, body)
            return opened if opened is not None else await self._elsewhere(self._intake.open, head, key, body)
        finally:
            self._large_bytes -= large

    def _opened_here(self, head: Head, key: ApiKey, body: bytes) -> Opened | None:
        """Return what a body brought, or None when that takes longer than a loop has time for."""
        try:
            return self._intake.open(head, key, body, briefly=True)
        except (TooLargeError, NotRememberedError):
            return None

    async def _elsewhere(self, work: Callable[..., Value], *arguments: Any) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _head(scope: Any) -> Head:
    headers = scope.headers
    length = headers.get("content-length") or ""
    return Head(
        method=scope.method,
        path=scope.path,
        key=headers.get("authorization") or headers.get("x-api-key"),
        encoding=headers.get("content-encoding") or "",
        length=int(length) if length.isdigit() else None,
    )


async def _read_up_to(protocol: Any, size: int) -> bytes:
    """Read no more than `size` bytes of a body that does not tell its length, and what came with them."""
    parts: list[bytes] = []
    async for part in protocol:
        parts.append(part)
        size -= len(part)
        if size <= 0:
            break
    return b"".join(parts)
