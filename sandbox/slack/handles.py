"""Short-lived handles that Slack gives an app: trigger ids and response URLs.

Both run on real time, however fast the world's clock goes.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

TRIGGER_LIFE_S = 3.0
RESPONSE_LIFE_S = 30 * 60.0
RESPONSE_USES = 5


class TriggerIds:
    """A trigger id opens one modal for one person, within three seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._issued: dict[str, tuple[str, float]] = {}
        self._used: set[str] = set()

    def issue(self, user: str) -> str:
        trigger = f"{secrets.randbelow(10**11)}.{secrets.randbelow(10**9)}.{secrets.token_hex(16)}"
        with self._lock:
            self._issued[trigger] = (user, self._monotonic())
        return trigger

    def use(self, trigger: str) -> tuple[str | None, str | None]:
        """Return (person, None), or (None, Slack's error)."""
        with self._lock:
            if trigger in self._used:
                return None, "exchanged_trigger_id"
            if trigger not in self._issued:
                return None, "invalid_trigger_id"
            user, since = self._issued[trigger]
            if self._monotonic() - since > TRIGGER_LIFE_S:
                return None, "expired_trigger_id"
            self._used.add(trigger)
            return user, None


@dataclass(slots=True, kw_only=True)
class Reply:
    """What a response URL is good for: where it answers, whom, and about which message."""

    user: str
    channel: str
    since: float
    message_ts: str | None = None
    thread_ts: str | None = None
    uses: int = 0


class ResponseUrls:
    """A response URL takes five answers within thirty minutes."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._issued: dict[str, Reply] = {}

    def issue(self, *, user: str, channel: str, message_ts: str | None = None, thread_ts: str | None = None) -> str:
        token = secrets.token_urlsafe(18)
        with self._lock:
            self._issued[token] = Reply(
                user=user, channel=channel, since=self._monotonic(), message_ts=message_ts, thread_ts=thread_ts
            )
        return token

    def use(self, token: str) -> tuple[Reply | None, str | None]:
        """Return (what it is good for, None), or (None, Slack's error)."""
        with self._lock:
            reply = self._issued.get(token)
            if reply is None:
                return None, "invalid_url"
            if self._monotonic() - reply.since > RESPONSE_LIFE_S:
                return None, "expired_url"
            if reply.uses >= RESPONSE_USES:
                return None, "used_url"
            reply.uses += 1
            return reply, None
