"""Socket Mode: the app calls in by WebSocket and gets what it is told through the open line.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import contextlib
import itertools
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from sandbox.slack.delivery import ACK_S, Ack, Again
from sandbox.slack.payloads import Delivery
from sandbox.slack.state import APP

MOST_LINES = 10


@dataclass(slots=True)
class _Waiting:
    """A delivery that was sent and is not yet acknowledged."""

    done: threading.Event = field(default_factory=threading.Event)
    payload: Any = None


class SocketServer:
    """Up to ten lines at once; each delivery goes through one of them. Listens from the first `open_line` on."""

    def __init__(self, *, host: str = "127.0.0.1", ack_s: float = ACK_S) -> None:
        self._host = host
        self._ack_s = ack_s
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._tickets: set[str] = set()
        self._lines: list[ServerConnection] = []
        self._leaving: list[ServerConnection] = []
        self._opened = 0
        self._closing = threading.Event()
        self._changed = threading.Condition(self._lock)
        self._turn = itertools.count()
        self._waiting: dict[str, _Waiting] = {}

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._lines)

    @property
    def opened(self) -> int:
        """How many lines were ever opened."""
        with self._lock:
            return self._opened

    def wait_for(self, connections: int, *, opened: int = 0, timeout_s: float = 10.0) -> bool:
        """Wait until that many lines are open, and as many were ever opened as `opened` says."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._lines) >= connections and self._opened >= opened, timeout_s)

    def open_line(self) -> str | None:
        """Return an address for one connection, or None when ten are open."""
        with self._lock:
            if len(self._lines) >= MOST_LINES:
                return None
            server = self._server or self._start()
            ticket = secrets.token_urlsafe(18)
            self._tickets.add(ticket)
        port = server.socket.getsockname()[1]
        return f"ws://{self._host}:{port}/link/?ticket={ticket}&app_id={APP}"

    def _start(self) -> Server:
        self._server = serve(self._hold, self._host, 0)
        self._thread = threading.Thread(target=self._server.serve_forever, name="socket-mode", daemon=True)
        self._thread.start()
        return self._server

    def _hold(self, line: ServerConnection) -> None:
        """One line's life: greet, then hear acknowledgements until it closes."""
        ticket = (line.request.path if line.request else "").partition("ticket=")[2].partition("&")[0]
        with self._changed:
            if ticket not in self._tickets:
                line.close(1008, "invalid ticket")
                return
            self._tickets.discard(ticket)
            self._lines.append(line)
            self._opened += 1
            number = len(self._lines)
        hello = {"type": "hello", "num_connections": number, "connection_info": {"app_id": APP}}
        debug = {"host": "sandbox", "approximate_connection_time": 18060}
        try:
            line.send(json.dumps({**hello, "debug_info": debug}))
            with self._changed:
                self._changed.notify_all()
            for frame in line:
                self._hear(frame)
        except ConnectionClosed:
            pass
        finally:
            with self._changed:
                for lines in (self._lines, self._leaving):
                    if line in lines:
                        lines.remove(line)
                self._changed.notify_all()

    def _hear(self, frame: str | bytes) -> None:
        try:
            said = json.loads(frame)
        except ValueError:
            return
        if not isinstance(said, dict):
            return
        with self._lock:
            waiting = self._waiting.get(str(said.get("envelope_id")))
        if waiting:
            waiting.payload = said.get("payload")
            waiting.done.set()

    def send(self, delivery: Delivery, again: Again | None) -> Ack:
        began = time.monotonic()
        envelope_id = secrets.token_hex(16)
        envelope: dict[str, Any] = {
            "envelope_id": envelope_id,
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api" or again:
            envelope |= {"retry_attempt": again.number if again else 0, "retry_reason": again.reason if again else ""}
        waiting = _Waiting()
        with self._lock:
            lines = list(self._lines)
            self._waiting[envelope_id] = waiting
        try:
            if not self._write(lines, json.dumps(envelope)):
                return Ack(status=0, ack_ms=0.0, error="dispatch_failed")
            heard = waiting.done.wait(self._ack_s)
        finally:
            with self._lock:
                self._waiting.pop(envelope_id, None)
        ack_ms = round((time.monotonic() - began) * 1000, 1)
        if not heard:
            return Ack(status=0, ack_ms=ack_ms, error="operation_timeout")
        body = json.dumps(waiting.payload) if waiting.payload else ""
        return Ack(status=200, ack_ms=ack_ms, body=body)

    def _write(self, lines: list[ServerConnection], text: str) -> bool:
        """Send through one line, the lines taking turns; through the next when one has just closed."""
        turn = next(self._turn)
        for place in range(len(lines)):
            try:
                lines[(turn + place) % len(lines)].send(text)
            except ConnectionClosed:
                continue
            return True
        return False

    def refresh(self, reason: str = "refresh_requested", *, grace_s: float = 0.5) -> None:
        """Ask every connection to come back on a new line, as Slack does now and then.

        Nothing more goes through the old lines; those that the app does not leave are cut after `grace_s`.
        """
        with self._changed:
            leaving = list(self._lines)
            self._lines.clear()
            self._leaving += leaving
        for line in leaving:
            with contextlib.suppress(ConnectionClosed):
                line.send(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}))
        threading.Thread(target=self._cut, args=(leaving, grace_s), name="socket-refresh", daemon=True).start()

    def _cut(self, lines: list[ServerConnection], grace_s: float) -> None:
        self._closing.wait(grace_s)
        for line in lines:
            line.close(1000)

    def close(self) -> None:
        with self._lock:
            lines, server, thread = [*self._lines, *self._leaving], self._server, self._thread
            self._server = None
        self._closing.set()
        for line in lines:
            line.close(1001)
        if server:
            server.shutdown()
        if thread:
            thread.join(5)
