"""The whole web process on loopback, as clients meet it: real keys, real databases, a clock that stands."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from slack_sdk import WebClient
from werkzeug.serving import WSGIRequestHandler, make_server

import wsgi
from bot.context import Context
from core.db import Databases
from core.keys import create_key
from core.settings import Settings
from feedback.fastpath import FastPath
from feedback.intake import PATHS
from tests.builders import T0, ManualClock

PUBLIC_URL = "https://muster.example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """`url` is where it listens; `public` and `secret` are keys of the app `demo`."""

    ctx: Context
    site: wsgi.Site
    app: FastPath
    url: str
    public: str
    secret: str

    @property
    def settings(self) -> Settings:
        return self.ctx.settings

    @property
    def databases(self) -> Databases:
        return self.ctx.databases

    def routes(self) -> set[tuple[str, str]]:
        """Return method and rule of every route, those that are answered in front of Flask as well."""
        found = {("POST", path) for path in PATHS}
        for rule in self.site.flask.url_map.iter_rules():
            found |= {(method, rule.rule) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
        return found


class Silent(WSGIRequestHandler):
    """Says nothing, not even of connections that break."""

    def log(self, _type: str, _message: str, *_args: Any) -> None:
        pass


@contextmanager
def open_served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Serve on the test's own databases, settings and clock."""
    databases: Databases = request.getfixturevalue("databases")
    clock: ManualClock = request.getfixturevalue("clock")
    settings: Settings = replace(request.getfixturevalue("settings"), public_url=PUBLIC_URL)
    with databases.control.begin() as session:
        public = create_key(session, app="demo", scope="public", name="Android app", now=T0)[1]
        secret = create_key(session, app="demo", scope="secret", name="CI", now=T0)[1]
    slack = WebClient(token=settings.slack_bot_token, base_url=settings.slack_api_url)
    ctx = Context(settings=settings, clock=clock, databases=databases, slack=slack, jira=None)
    site = wsgi.compose(ctx)
    app = site.wsgi()
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Served(
            ctx=ctx, site=site, app=app, url=f"http://127.0.0.1:{server.server_port}", public=public, secret=secret
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
