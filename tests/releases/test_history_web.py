"""What a pipeline reads of releases: where each one is, how it got there, and nothing of another app."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.db import Databases
from core.http_errors import register_errors
from core.keys import KeyRing, create_key
from core.settings import Settings
from releases import history_web
from releases.rollout import Approve, Submit
from releases.store import add_event
from tests.builders import T0, ManualClock
from tests.releases.builders import do, propose
from tests.releases.conftest import Keys


@pytest.fixture
def pipeline(databases: Databases, settings: Settings, clock: ManualClock) -> FlaskClient:
    app = Flask("test")
    register_errors(app)
    app.register_blueprint(history_web.blueprint(databases, settings, clock, KeyRing(databases, clock)))
    return app.test_client()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
