"""Brings what people do to the app: signed, within three seconds, again when it is an event that got lost.

https://docs.slack.dev/authentication/verifying-requests-from-slack, …/apis/events-api#retries
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

import requests

from sandbox.faults import Faults
from sandbox.slack.payloads import Delivery

ACK_S = 3.0
RETRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Which retry this is and why."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """How the app took a delivery. `error` is what Slack makes of a failure: operation_timeout or dispatch_failed."""

    status: int
    ack_ms: float
    body: str = ""
    error: str | None = None
    wants_no_retry: bool = False

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def retry_reason(self) -> str:
        if self.error == "operation_timeout":
            return "http_timeout"
        return "http_error" if self.status else "connection_failed"


class Transport(Protocol):
    """One way to the app: signed HTTP or Socket Mode."""

    def send(self, delivery: Delivery, again: Again | None) -> Ack: ...


def sign(secret: str, body: bytes, *, timestamp: int) -> str:
    base = b"v0:%d:%b" % (timestamp, body)
    return f"v0={hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()}"


class HttpTransport:
    """Signed requests to the app's request URL. Signatures carry real time, whatever the world's clock says."""

    def __init__(
        self, url: Callable[[], str | None], secret: str, *, ack_s: float = ACK_S, real: Callable[[], float] = time.time
    ) -> None:
        self._url = url
        self._secret = secret
        self._ack_s = ack_s
        self._real = real
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        self._session.close()

    def send(self, delivery: Delivery, again: Again | None) -> Ack:
        url = self._url()
        if not url:
            return Ack(status=0, ack_ms=0.0, error="dispatch_failed")
        body, kind = _encoded(delivery)
        timestamp = int(self._real())
        headers = {
            "Content-Type": kind,
            "Connection": "close",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": str(timestamp),
            "X-Slack-Signature": sign(self._secret, body, timestamp=timestamp),
        }
        if again:
            headers |= {"X-Slack-Retry-Num": str(again.number), "X-Slack-Retry-Reason": again.reason}
        return self._post(url, body, headers)

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Ack:
        began = time.monotonic()
        try:
            reply = self._session.post(url, data=body, headers=headers, timeout=self._ack_s, allow_redirects=False)
        except requests.Timeout:
            return Ack(status=0, ack_ms=_since(began), error="operation_timeout")
        except requests.RequestException:
            return Ack(status=0, ack_ms=_since(began), error="dispatch_failed")
        ack_ms = _since(began)
        error = "operation_timeout" if ack_ms > self._ack_s * 1000 else None
        if not 200 <= reply.status_code < 300:
            error = "dispatch_failed"
        no_retry = reply.headers.get("X-Slack-No-Retry") == "1"
        return Ack(status=reply.status_code, ack_ms=ack_ms, body=reply.text, error=error, wants_no_retry=no_retry)


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _encoded(delivery: Delivery) -> tuple[bytes, str]:
    form = "application/x-www-form-urlencoded"
    match delivery.kind:
        case "slash_commands":
            return urlencode(delivery.payload).encode(), form
        case "interactive":
            return urlencode({"payload": json.dumps(delivery.payload)}).encode(), form
        case "events_api":
            return json.dumps(delivery.payload).encode(), "application/json"


class Courier:
    """Delivers, and delivers again: lost events up to three times, everything thrice while `slack_retry` is on."""

    def __init__(
        self, transport: Callable[[], Transport], faults: Faults, *, retry_after_s: tuple[float, ...] = (0.5, 2.0, 5.0)
    ) -> None:
        self._transport = transport
        self._faults = faults
        self._retry_after_s = retry_after_s[:RETRIES]
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._retrying: list[threading.Thread] = []

    def deliver(self, delivery: Delivery) -> Ack:
        """Bring it to the app and return how the first try was taken."""
        transport = self._transport()
        ack = transport.send(delivery, None)
        if self._faults.on("slack_retry"):
            for number in (1, 2):
                transport.send(delivery, Again(number=number, reason="http_timeout"))
        elif delivery.kind == "events_api" and not ack.ok and not ack.wants_no_retry:
            self._retry(delivery, ack)
        return ack

    def settle(self, timeout_s: float = 10.0) -> None:
        """Wait until no retry is under way."""
        with self._lock:
            threads = list(self._retrying)
        for thread in threads:
            thread.join(timeout_s)

    def close(self) -> None:
        self._closing.set()
        self.settle()

    def _retry(self, delivery: Delivery, ack: Ack) -> None:
        thread = threading.Thread(target=self._keep_trying, args=(delivery, ack), name="slack-retries", daemon=True)
        with self._lock:
            self._retrying = [other for other in self._retrying if other.is_alive()]
            self._retrying.append(thread)
        thread.start()

    def _keep_trying(self, delivery: Delivery, ack: Ack) -> None:
        for number, wait_s in enumerate(self._retry_after_s, start=1):
            if self._closing.wait(wait_s) or ack.ok or ack.wants_no_retry:
                return
            ack = self._transport().send(delivery, Again(number=number, reason=ack.retry_reason))
