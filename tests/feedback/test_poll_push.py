"""A pipeline pushes poll files; pushing again changes nothing, a mistake is told with its line."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core import audit
from core.db import Databases
from core.http_errors import register_errors
from core.keys import KeyRing, create_key
from core.settings import Settings
from feedback import poll_push, polls, store
from tests.builders import ManualClock, at

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

    told = reply.json or {}
    assert {**told, "changes": []} == {
        "ref": "P1", "id": "scan_quality", "version": 1, "status": "running", "is_new": True, "changes": [],
        "notes": [],
    }  # fmt: skip
    assert {"path": "questions.q_csat.scale", "before": None, "after": "5"} in told["changes"]


def test_a_poll_that_is_older_than_a_rule_may_be_changed_in_everything_else(push: Push, databases: Databases) -> None:
    old = POLL.replace("model: scan", "model: Scan Pro")
    with databases.control.begin() as session:
        definition = polls.from_json(yaml.safe_load(old))
        store.save_poll(session, definition, app="demo", model="Scan Pro", by="CI", now=at(-24))

    assert push(old.replace("Was this", "Is this")).json["version"] == 2  # type: ignore[index]
    refused = push(old.replace("Scan Pro", "Scan Max")).json
    assert [each["path"] for each in refused["problems"]] == ["model"]  # type: ignore[index]


def test_pushing_the_same_again_changes_nothing(push: Push, databases: Databases, clock: ManualClock) -> None:
    push(POLL, "?start=1")
    clock.advance(hours=1)

    again = push(POLL, "?start=1").json or {}
    assert (again["version"], again["changes"]) == (1, [])
    with databases.control() as session:
        assert len(audit.entries(session, subject="P1")) == 1


def test_a_changed_file_becomes_the_next_version(push: Push) -> None:
    push(POLL)

    told = push(POLL.replace("right?", "correct?")).json or {}

    assert told["version"] == 2
    assert told["changes"] == [
        {
            "path": "questions.q_csat.question",
            "before": '"Was this scan right?"',
            "after": '"Was this scan correct?"',
        }
    ]


def test_only_asking_for_a_start_starts_a_poll(push: Push, databases: Databases) -> None:
    refused = push(POLL + "status: running\nend_date: 2020-01-01T00:00:00Z\n")

    assert refused.status_code == 422
    with databases.control() as session:
        assert store.list_polls(session, "demo") == ()


def test_a_dry_run_says_what_would_change_and_changes_nothing(push: Push, databases: Databases) -> None:
    push(POLL)

    told = push(POLL + "sampling: {percent: 5}\n", "?dry_run=1&start=1").json or {}

    assert (told["version"], told["status"]) == (2, "running")
    assert told["changes"] == [{"path": "sampling.percent", "before": "100.0", "after": "5.0"}]
    with databases.control() as session:
        found = store.find_poll(session, "P1").poll
        assert (found.version, found.status) == (1, "draft")
        assert len(audit.entries(session, subject="P1")) == 1


def test_a_start_date_can_be_moved_and_taken_out_until_the_poll_is_started(push: Push, databases: Databases) -> None:
    push(POLL + "start_date: 2026-12-20T00:00:00Z\n")

    moved = push(POLL + "start_date: 2026-12-25T00:00:00Z\n").json or {}
    without = push(POLL).json or {}

    first, second = '"2026-12-20T00:00:00Z"', '"2026-12-25T00:00:00Z"'
    assert moved["changes"] == [{"path": "start_date", "before": first, "after": second}]
    assert without["changes"] == [{"path": "start_date", "before": second, "after": None}]
    with databases.control() as session:
        assert store.find_poll(session, "P1").poll.start_date is None


def test_a_start_date_that_comes_too_late_is_told_to_stay(push: Push) -> None:
    started = push(POLL + "start_date: 2026-11-16T08:00:00Z\n", "?start=1").json or {}

    late = push(POLL + "start_date: 2026-12-25T00:00:00Z\n").json or {}

    assert (started["notes"], late["changes"]) == ([], [])
    assert late["notes"] == ["start_date stays 2026-11-16T08:00:00Z: a poll that was started is not started again."]


def test_an_end_date_that_is_pushed_stops_a_running_poll_in_time(push: Push, databases: Databases) -> None:
    push(POLL, "?start=1")

    told = push(POLL + "end_date: 2026-11-17T00:00:00Z\n").json or {}

    assert told["changes"] == [{"path": "end_date", "before": None, "after": '"2026-11-17T00:00:00Z"'}]
    with databases.control() as session:
        poll = store.find_poll(session, "P1").poll
    assert polls.is_open(poll, at(14))
    assert not polls.is_open(poll, at(16))


def test_a_poll_that_was_stopped_is_not_opened_by_its_file(push: Push, databases: Databases) -> None:
    dated = POLL + "end_date: 2026-12-01T00:00:00Z\n"
    push(dated, "?start=1")
    with databases.control.begin() as session:
        store.set_poll_status(session, "P1", "stopped", now=at(1))

    assert (push(dated).json or {})["status"] == "stopped"
    with databases.control() as session:
        assert not polls.is_open(store.find_poll(session, "P1").poll, at(2))


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


def test_a_file_without_its_length_is_refused_as_it_may_have_been_cut_off(push: Push, client: FlaskClient) -> None:
    key = push(POLL).request.headers["Authorization"]

    chunked = {"Authorization": key, "Transfer-Encoding": "chunked"}
    reply = client.put("/v1/polls", input_stream=io.BytesIO(POLL.encode()), headers=chunked)

    assert reply.status_code == 411
    assert "Content-Length" in (reply.json or {})["error"]
