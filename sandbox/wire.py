"""The wire between a phone and the service: one request, one reply, or nothing at all."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 15.0


class LostReplyError(Exception):
    """No reply came: the phone cannot know whether the server did what it asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def retry_after_s(self) -> float | None:
        """The seconds the server asks to wait; None when it does not say (or says it with a date)."""
        told = self.headers.get("retry-after", "")
        return float(told) if told.isdigit() else None


Transport = Callable[[str, str, Mapping[str, str], bytes | None], Reply]
"""(method, path, headers, body) → Reply. Raises LostReplyError."""


class HttpTransport:
    """Keeps one connection open per thread. A request is sent again only if nothing of it can have been read."""

    def __init__(self, base_url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(base_url)
        self._is_tls = parts.scheme == "https"
        self._host = parts.netloc
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._local = threading.local()

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        connection, is_reused = self._connection()
        try:
            return self._exchange(connection, method, path, headers, body)
        except (http.client.HTTPException, OSError) as error:
            self._drop()
            # A server may close an idle connection at any moment; that says nothing about the request.
            if not (is_reused and isinstance(error, http.client.RemoteDisconnected | ConnectionError)):
                raise LostReplyError(str(error)) from error
        try:
            return self._exchange(self._connection()[0], method, path, headers, body)
        except (http.client.HTTPException, OSError) as error:
            self._drop()
            raise LostReplyError(str(error)) from error

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Reply:
        connection.request(method, self._prefix + path, body=body, headers=dict(headers))
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Reply(status=response.status, headers=told, body=response.read())

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        known = getattr(self._local, "connection", None)
        if known is not None:
            return known, True
        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        made = kind(self._host, timeout=self._timeout_s)
        self._local.connection = made
        return made, False

    def _drop(self) -> None:
        known = getattr(self._local, "connection", None)
        if known is not None:
            known.close()
        self._local.connection = None


class Edge:
    """A content network before the service: an artifact never changes, so its bytes are fetched once for all phones."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._kept: dict[str, Reply] = {}

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        kept = self._kept.get(path)
        if kept is not None and method == "GET":
            return kept
        reply = self._transport(method, path, headers, body)
        if method == "GET" and reply.status == 200 and "immutable" in reply.headers.get("cache-control", ""):
            self._kept[path] = reply
        return reply
