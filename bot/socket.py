"""The bot process: hears Slack by Socket Mode, for a workspace that cannot reach the web process."""

from __future__ import annotations

import logging
import signal
import threading

from slack_bolt.adapter.socket_mode import SocketModeHandler

from bot import ports
from bot.app import create_app
from bot.context import open_context
from core.errors import InvalidInputError, Problem
from core.settings import Settings

log = logging.getLogger(__name__)

PING_S = 30
LONGEST_WAIT_S = 60.0


def run(settings: Settings, *, stop: threading.Event | None = None) -> None:
    """Listen until SIGTERM, SIGINT or `stop`; a connection that is lost or refused is made again."""
    if not settings.slack_app_token or not settings.slack_bot_token:
        raise InvalidInputError(Problem("MUSTER_SLACK_APP_TOKEN", "Socket Mode needs it and MUSTER_SLACK_BOT_TOKEN"))
    stop = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    ports.serve_metrics(settings)
    ctx = open_context(settings)
    # web_client is passed because the handler's own would not know another base_url.
    handler = SocketModeHandler(
        create_app(ctx), settings.slack_app_token, web_client=ctx.slack, ping_interval=PING_S
    )  # fmt: skip
    try:
        _connect(handler, stop)
        stop.wait()
    finally:
        handler.close()  # type: ignore[no-untyped-call]
        ctx.databases.dispose()
        log.info("bot.stopped")


def _connect(handler: SocketModeHandler, stop: threading.Event) -> None:
    """Connect, however long Slack is away; once connected, slack_sdk reconnects by itself."""
    wait_s = 1.0
    while not stop.is_set():
        try:
            handler.connect()  # type: ignore[no-untyped-call]
            log.info("bot.connected")
            return
        except Exception as error:  # slack_sdk raises whatever urllib, ssl or its own sockets do
            log.warning("bot.not_connected", extra={"reason": str(error), "wait_s": wait_s})
            stop.wait(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)
