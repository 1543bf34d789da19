"""Serves the pretended world on one port: the page, Slack, Jira, Confluence, mailboxes, and the sandbox's own door.

Mail comes in on a port of its own.
"""

from __future__ import annotations

import threading
from pathlib import Path

import flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as BaseResponse

from sandbox import confluence_web, control, jira_v2, mail_page
from sandbox.slack import web_api
from sandbox.smtp import SmtpServer
from sandbox.world import World

PAGE = Path(__file__).parent / "page"


def create_app(world: World, *, page: Path = PAGE) -> flask.Flask:
    app = flask.Flask("sandbox", static_folder=None)
    app.register_blueprint(web_api.blueprint(world.slack))
    app.register_blueprint(control.blueprint(world))
    app.register_blueprint(jira_v2.blueprint(world.jira), url_prefix="/jira")
    app.register_blueprint(confluence_web.blueprint(world.confluence), url_prefix="/wiki")
    app.register_blueprint(mail_page.blueprint(world.mail), url_prefix="/mail")

    @app.get("/")
    def index() -> flask.Response:
        return _file(page, "index.html")

    @app.get("/archives/<channel>/<message>")
    def permalink(channel: str, message: str) -> BaseResponse:
        return flask.redirect(f"/#{channel}/{message}")

    @app.get("/<path:name>")
    def asset(name: str) -> flask.Response:
        return _file(page, name.removeprefix("page/"))

    return app


def _file(page: Path, name: str) -> flask.Response:
    reply = flask.send_from_directory(page, name)
    reply.headers["Cache-Control"] = "no-cache"
    return reply


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests that went well; the page and the story tell what happens."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Leave the terminal to the story."""


class Server:
    """The world on a port, until it is closed. Closing closes the world too."""

    def __init__(self, world: World, port: int = 0, *, host: str = "127.0.0.1") -> None:
        self.world = world
        self._http: BaseWSGIServer = make_server(host, port, create_app(world), threaded=True, request_handler=_Quiet)
        self.url = f"http://{host}:{self._http.server_port}"
        world.slack.base_url = self.url
        world.jira.base_url = f"{self.url}/jira"
        world.confluence.base_url = f"{self.url}/wiki"
        world.mail.base_url = f"{self.url}/mail"
        self._smtp = SmtpServer(world.mail, host=host)
        self.smtp_port = self._smtp.port
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="sandbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.world.close()
        self._smtp.close()
        self._http.shutdown()
        self._thread.join(5)
        self._http.server_close()


def serve(world: World, port: int = 0, *, host: str = "127.0.0.1") -> Server:
    """Serve the world in a thread of its own; port 0 picks a free one."""
    return Server(world, port, host=host)
