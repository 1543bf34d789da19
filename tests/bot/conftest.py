"""A pretended workspace and the app that listens to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import flask
import pytest
from slack_sdk import WebClient
from werkzeug.serving import make_server

from bot import web
from bot.context import Context
from core.db import Databases
from core.http_errors import register_errors
from core.settings import Settings
from sandbox.server import serve
from sandbox.slack.service import Credentials
from sandbox.world import World
from tests.bot.workspace import Workspace
from tests.builders import T0, ManualClock
from tests.conftest import JobList
from tests.sandbox.apps import Quiet, Real


@pytest.fixture
def real() -> Real:
    return Real()


@pytest.fixture
def world(real: Real) -> Iterator[World]:
    world = World(at=T0, rate=0.0, retry_after_s=(0.0, 0.0, 0.0), monotonic=real)
    server = serve(world)
    yield world
    server.close()


@pytest.fixture
def bot_settings(settings: Settings, world: World) -> Settings:
    secrets = Credentials()
    return replace(
        settings,
        slack_bot_token=secrets.bot_token,
        slack_signing_secret=secrets.signing_secret,
        slack_app_token=secrets.app_token,
        slack_api_url=f"{world.slack.base_url}/api/",
    )


@pytest.fixture
def ctx(bot_settings: Settings, databases: Databases, clock: ManualClock) -> Context:
    client = WebClient(token=bot_settings.slack_bot_token, base_url=bot_settings.slack_api_url, retry_handlers=[])
    return Context(settings=bot_settings, clock=clock, databases=databases, slack=client, jira=None)


@pytest.fixture
def web_app(ctx: Context) -> flask.Flask:
    app = flask.Flask("muster")
    register_errors(app)
    app.register_blueprint(web.blueprint(ctx))
    return app


@pytest.fixture
def workspace(ctx: Context, world: World, jobs: JobList, real: Real, web_app: flask.Flask) -> Iterator[Workspace]:
    server = make_server("127.0.0.1", 0, web_app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    world.slack.request_url = f"http://127.0.0.1:{server.server_port}/slack/events"
    yield Workspace(ctx=ctx, world=world, jobs=jobs, real=real, others={})
    server.shutdown()
    thread.join(5)
    server.server_close()
