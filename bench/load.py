"""A load generator of one thread: keeps many connections busy with prepared requests and counts the answers."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """What came of one stretch of load. `tags` are the requests that were answered 200; latencies are in seconds."""

    seconds: float = 0.0
    tags: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    others: int = 0

    @property
    def per_second(self) -> float:
        return len(self.tags) / self.seconds if self.seconds else 0.0

    def percentile_ms(self, percent: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000 if ordered else 0.0


class _Line:
    """One connection: at most one request is under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(30)
        self.buffer = b""
        self.tag = ""
        self.due = 0.0

    def send(self, tag: str, request: bytes, *, due: float) -> None:
        self.tag, self.due = tag, due
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """Return the status line's code once the whole response is there."""
        part = self.socket.recv(65_536)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.buffer += part
        head, mark, body = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return None
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:")
        if len(body) < length:
            return None
        code, self.buffer = head[9:12], body[length:]
        return code


def run(
    address: tuple[str, int], new_request: Callable[[], tuple[str, bytes]], *, seconds: float, connections: int,
    per_second: float | None = None,
) -> Outcome:  # fmt: skip
    """Send requests for `seconds`, then wait for what is still under way: as fast as they are answered, or so many.

    At a given rate a request's time counts from when it was due, whether or not a connection was free then.
    """
    outcome = Outcome()
    lines = [_Line(address) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
        start = time.perf_counter()
        due = _due(start, seconds, per_second)
        free, next_due = lines[:], next(due, None)

        def send_due() -> None:
            nonlocal next_due
            while free and next_due is not None and next_due <= time.perf_counter():
                free.pop().send(*new_request(), due=next_due or time.perf_counter())
                next_due = next(due, None)

        send_due()
        while len(free) < len(lines) or next_due is not None:
            wait_s = 30.0 if next_due is None or not free else max(0.0, next_due - time.perf_counter())
            for key, _ in selector.select(timeout=wait_s):
                line = key.data
                code = line.receive()
                if code is None:
                    continue
                outcome.others += code != b"200"
                if code == b"200":
                    outcome.tags.append(line.tag)
                    outcome.latencies.append(time.perf_counter() - line.due)
                free.append(line)
                send_due()
            send_due()
        outcome.seconds = time.perf_counter() - start
    for line in lines:
        line.socket.close()
    return outcome


def _due(start: float, seconds: float, per_second: float | None) -> Iterator[float]:
    """Yield when each request is due, evenly; or 0, which is at once, as long as there is time."""
    if per_second is not None:
        yield from (start + number / per_second for number in range(int(seconds * per_second)))
        return
    while time.perf_counter() - start < seconds:
        yield 0.0
