"""The releases' part of the web process, as a client and as a live server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from bot.forecasting import foresee
from core.db import Databases
from core.http_errors import register_errors
from core.keys import KeyRing, create_key
from core.settings import Settings
from releases import history_web, web
from tests.builders import T0, ManualClock
from tests.releases.builders import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    public: str
    secret: str
    elsewhere: str


@pytest.fixture
def api_keys(databases: Databases) -> Keys:
    with databases.control.begin() as session:
        _, public = create_key(session, app="demo", scope="public", name="test", now=T0)
        _, secret = create_key(session, app="demo", scope="secret", name="test", now=T0)
        _, elsewhere = create_key(session, app="other", scope="public", name="test", now=T0)
    return Keys(public=public, secret=secret, elsewhere=elsewhere)


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def flask_app(databases: Databases, settings: Settings, clock: ManualClock, seconds: Seconds) -> Flask:
    app = Flask("test")
    register_errors(app)
    app.register_blueprint(web.blueprint(databases, settings, clock, KeyRing(databases, clock), seconds=seconds))
    return app


@pytest.fixture
def client(flask_app: Flask) -> FlaskClient:
    return flask_app.test_client()


@pytest.fixture
def pipeline(databases: Databases, settings: Settings, clock: ManualClock) -> FlaskClient:
    """What a pipeline asks of releases."""
    app = Flask("test")
    register_errors(app)
    ahead = partial(foresee, databases, minimum=settings.minimum_cohort)
    app.register_blueprint(history_web.blueprint(databases, settings, clock, KeyRing(databases, clock), foresee=ahead))
    return app.test_client()


@pytest.fixture
def live_url(flask_app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, flask_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
