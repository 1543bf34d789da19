"""A pipeline pushes poll files; pushing again changes nothing, a mistake is told with its line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core import audit
from core.db import Databases
from core.http_errors import register_errors
from core.keys import KeyRing, create_key
from core.settings import Settings
from feedback import poll_push
from tests.builders import ManualClock

POLL = """\
id: scan_quality
name: Scan quality
model: scan
questions:
  - id: q_csat
    type: csat
    question: Was this scan right?
    scale: 5
"""

Push = Callable[..., TestResponse]


@pytest.fixture
def client(databases: Databases, settings: Settings, clock: ManualClock) -> FlaskClient:
    app = Flask(__name__)
    register_errors(app)
    app.register_blueprint(poll_push.blueprint(databases, settings, clock, KeyRing(databases, clock)))
    return app.test_client()


@pytest.fixture
def push(client: FlaskClient, databases: Databases, clock: ManualClock) -> Push:
    with databases.control.begin() as session:
        _, secret = create_key(session, app="demo", scope="secret", name="CI", now=clock())

    def put(body: str | bytes, query: str = "", key: str = secret) -> TestResponse:
        return client.put(f"/v1/polls{query}", data=body, headers={"Authorization": f"Bearer {key}"})

    return put


def test_a_file_becomes_a_poll_and_starts(push: Push) -> None:
    reply = push(POLL, "?start=1")

    assert reply.json == {"ref": "P1", "id": "scan_quality", "version": 1, "status": "running"}


def test_pushing_the_same_again_changes_nothing(push: Push, databases: Databases, clock: ManualClock) -> None:
    push(POLL, "?start=1")
    clock.advance(hours=1)

    assert (push(POLL, "?start=1").json or {})["version"] == 1
    with databases.control() as session:
        assert len(audit.entries(session, subject="P1")) == 1


def test_a_changed_file_becomes_the_next_version(push: Push) -> None:
    push(POLL)

    assert (push(POLL.replace("right?", "correct?")).json or {})["version"] == 2


def test_every_mistake_comes_with_its_line(push: Push) -> None:
    reply = push(POLL.replace("type: csat", "type: stars").replace("scale: 5", "scale: 0"))

    assert reply.status_code == 422
    problems = (reply.json or {})["problems"]
    assert {"questions[0].type"} <= {problem["path"] for problem in problems}
    assert next(each["line"] for each in problems if each["path"] == "questions[0].type") == 6


@pytest.mark.parametrize(
    ("body", "status"), [("model: x\n  bad", 422), (b"\xff\xfe", 422), (POLL.replace("model: scan\n", ""), 422)]
)
def test_what_is_no_poll_is_refused(push: Push, body: str | bytes, status: int) -> None:
    assert push(body).status_code == status


def test_a_key_of_the_app_may_not_push(push: Push, databases: Databases, clock: ManualClock) -> None:
    with databases.control.begin() as session:
        _, public = create_key(session, app="demo", scope="public", name="app", now=clock())

    assert push(POLL, key=public).status_code == 403
    assert push(POLL, key="sk_nobody").status_code == 401
