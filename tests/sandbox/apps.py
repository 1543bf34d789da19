"""Apps to point the pretended Slack at."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import flask
from slack_bolt import App
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.slack.service import Credentials
from sandbox.slack.state import BOT, BOT_USER, TEAM
from sandbox.world import World

T0 = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)


def a_world(**changes: Any) -> World:
    """A world whose time stands still and whose retries come at once."""
    facts: dict[str, Any] = {"at": T0, "rate": 0.0, "retry_after_s": (0.0, 0.0, 0.0), **changes}
    return World(**facts)


class Real:
    """Real seconds that pass only when told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def bolt(client: WebClient) -> App:
    """A Bolt app that checks signatures and asks nobody who it is."""
    return App(
        client=client,
        signing_secret=Credentials().signing_secret,
        process_before_response=True,
        authorize=lambda **_: AuthorizeResult(
            enterprise_id=None, team_id=TEAM, bot_token=client.token, bot_id=BOT, bot_user_id=BOT_USER
        ),
    )


class HttpApp:
    """A Flask app on a free port."""

    def __init__(self, web: flask.Flask) -> None:
        self._server = make_server("127.0.0.1", 0, web, threaded=True, request_handler=Quiet)
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


class BoltApp(HttpApp):
    """A Bolt app by HTTP. `heard` keeps the headers and form of every request it got."""

    def __init__(self, client: WebClient) -> None:
        self.bolt = bolt(client)
        self.heard: list[tuple[dict[str, str], bytes]] = []
        web = flask.Flask("app")
        handler = SlackRequestHandler(self.bolt)

        @web.post("/slack/events")
        def events() -> flask.Response:
            self.heard.append((dict(flask.request.headers), flask.request.get_data()))
            return handler.handle(flask.request)

        super().__init__(web)

    @property
    def url(self) -> str:
        return f"{self.root}/slack/events"
