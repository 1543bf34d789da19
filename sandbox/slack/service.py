"""One pretended workspace, whole: what it holds, what it lets the app do, and the way to the app."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sandbox.faults import Faults
from sandbox.slack.delivery import ACK_S, Courier, HttpTransport, Transport
from sandbox.slack.files import FileShelf
from sandbox.slack.handles import ResponseUrls, TriggerIds
from sandbox.slack.rates import Rates
from sandbox.slack.socket import SocketServer
from sandbox.slack.state import SLACKBOT, Message, Workspace
from sandbox.slack.windows import Windows

Mode = Literal["http", "socket"]

SCOPES = (
    "app_mentions:read", "channels:history", "channels:join", "channels:read", "chat:write", "commands", "files:read",
    "files:write", "im:history", "im:read", "im:write", "links:read", "links:write",
    "reactions:write", "users:read",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a real workspace hands out when the app is installed."""

    bot_token: str = "xoxb-sandbox-bot-token"
    app_token: str = "xapp-sandbox-app-token"
    signing_secret: str = "sandbox-signing-secret"
    scopes: tuple[str, ...] = SCOPES


class Slack:
    """`request_url` is where the app listens by HTTP; `mode` says whether it is spoken to there or by Socket Mode."""

    def __init__(
        self,
        faults: Faults,
        clock: Callable[[], datetime],
        changed: Callable[[], None] = lambda: None,
        *,
        credentials: Credentials | None = None,
        command: str = "/muster",
        mode: Mode = "http",
        request_url: str | None = None,
        ack_s: float = ACK_S,
        retry_after_s: tuple[float, ...] = (0.5, 2.0, 5.0),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults = faults
        self.clock = clock
        self.credentials = credentials or Credentials()
        self.command = command
        self.mode: Mode = mode
        self.request_url = request_url
        self.unfurl_domain = ""
        self.base_url = ""
        self.workspace = Workspace(clock, changed)
        self.windows = Windows(changed)
        self.trigger_ids = TriggerIds(monotonic)
        self.response_urls = ResponseUrls(monotonic)
        self.rates = Rates(clock, monotonic)
        self.files = FileShelf()
        self.sockets = SocketServer(ack_s=ack_s)
        self._http = HttpTransport(lambda: self.request_url, self.credentials.signing_secret, ack_s=ack_s)
        self.courier = Courier(self._transport, faults, retry_after_s=retry_after_s)

    def _transport(self) -> Transport:
        return self.sockets if self.mode == "socket" else self._http

    def tell(self, person: str, channel: str, text: str) -> None:
        """Slackbot's own word to one person, such as that a command failed."""
        self.workspace.post(Message(channel=channel, ts="", user=SLACKBOT, text=text, ephemeral_to=person))

    def response_url(
        self, *, user: str, channel: str, message_ts: str | None = None, thread_ts: str | None = None
    ) -> str:
        token = self.response_urls.issue(user=user, channel=channel, message_ts=message_ts, thread_ts=thread_ts)
        return f"{self.base_url}/response/{token}"

    def close(self) -> None:
        self.courier.close()
        self.sockets.close()
        self._http.close()
