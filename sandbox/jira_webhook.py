"""Jira's webhook out: signed, with an identifier that stays the same when it is sent again."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import requests

from core.clock import Clock
from sandbox import jira_shapes
from sandbox.jira import Issue

log = logging.getLogger(__name__)

TRIES = 5
TIMEOUT_S = 5.0

Deliver = Callable[[str, Mapping[str, str], bytes], int]
"""(url, headers, body) → HTTP status. Raises OSError."""


class JiraWebhook:
    """Sends every change of an issue to one address, in order, from a thread of its own."""

    def __init__(self, url: str, secret: str, clock: Clock, *, deliver: Deliver | None = None) -> None:
        self._url = url
        self._secret = secret.encode()
        self._clock = clock
        self._deliver = deliver or _post
        self._lock = threading.Lock()
        self._sent = 0

    def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        """The hook of a JiraWorld: returns at once."""
        body = self._body(event, facts["issue"], facts["changelog"])
        with self._lock:
            self._sent += 1
            identifier = f"muster-sandbox-{self._sent:08d}"
        threading.Thread(target=self.send, args=(identifier, body), daemon=True, name="jira-webhook").start()

    def send(self, identifier: str, body: bytes) -> bool:
        """Send until it is taken, five times at most; return whether it was."""
        signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature": f"sha256={signature}",
            "X-Atlassian-Webhook-Identifier": identifier,
        }
        for attempt in range(TRIES):
            try:
                if self._deliver(self._url, {**headers, "X-Atlassian-Webhook-Retry": str(attempt)}, body) < 400:
                    return True
            except OSError as error:
                log.info("jira_webhook.lost", extra={"attempt": attempt, "reason": type(error).__name__})
        return False

    def _body(self, event: str, issue: Issue, changelog: Mapping[str, Any]) -> bytes:
        shown = {"id": str(issue.id), "key": issue.key, "fields": jira_shapes.fields(issue)}
        told = {
            "timestamp": int(self._clock().timestamp() * 1000),
            "webhookEvent": event,
            "user": jira_shapes.ACCOUNT,
            "issue": shown,
            "changelog": changelog,
        }
        return json.dumps(told, default=str).encode()


def _post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    return requests.post(url, data=body, headers=dict(headers), timeout=TIMEOUT_S).status_code
