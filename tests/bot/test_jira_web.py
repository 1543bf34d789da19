"""Jira's webhook at our door: signed, heard once, and refused when it is not Jira's."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import flask
import pytest

from bot import jira_web
from core.db import Databases
from core.settings import Settings
from sandbox.jira import STATUSES
from sandbox.jira_webhook import JiraWebhook
from tests.bot.ticket_worker import House
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import a_jira

SECRET = "webhook-secret"


@pytest.fixture
def house(databases: Databases, jobs: JobList, settings: Settings, clock: ManualClock) -> House:
    told = replace(settings, jira_webhook_secret=SECRET)
    house = House(databases=databases, jobs=jobs, settings=told, clock=clock, jira=a_jira(clock))
    house.want()
    house.run()
    return house


@pytest.fixture
def door(house: House) -> JiraWebhook:
    """Jira's webhook, wired to our door."""
    app = flask.Flask("muster")
    app.register_blueprint(jira_web.blueprint(house.databases, house.settings))
    client = app.test_client()

    def deliver(_url: str, headers: object, body: bytes) -> int:
        return client.post("/jira/webhook", headers=dict(headers), data=body).status_code  # type: ignore[call-overload]

    return JiraWebhook("http://muster.test/jira/webhook", SECRET, house.clock, deliver=deliver)


def test_what_jira_tells_is_heard_once_however_often_it_comes(house: House, door: JiraWebhook) -> None:
    house.jira.move(house.jira.all()[0], STATUSES["4"])
    body = door._body("jira:issue_updated", house.jira.all()[0], {})

    assert door.send("1", body)
    assert door.send("1", body)
    assert [job.job for job in house.jobs.waiting] == ["look_at_issue"]
    house.run()

    assert house.ticket().state == "done"
    assert len(house.slack.said) == 2


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"{}", {}, 401, id="unsigned"),
        pytest.param(b"{}", {"X-Hub-Signature": "sha256=00"}, 401, id="signed by somebody else"),
        pytest.param(b"{}", {"X-Hub-Signature": "sha1=00"}, 401, id="another method"),
        pytest.param(b"{}", {"X-Hub-Signature": "sha256=é"}, 401, id="no hex"),
        pytest.param(b"{}", None, 400, id="signed, but about nothing"),
        pytest.param(b"[[[[", None, 400, id="signed rubbish"),
        pytest.param(b'{"issue": {"key": 7}}', None, 400, id="a key that is none"),
        pytest.param(b'{"issue": {"key": "' + b"K" * 200 + b'"}}', None, 400, id="a key too long"),
    ],
)
def test_what_is_not_jiras_is_refused(house: House, body: bytes, headers: dict[str, str] | None, status: int) -> None:
    app = flask.Flask("muster")
    app.register_blueprint(jira_web.blueprint(house.databases, house.settings))
    signed = {"X-Hub-Signature": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}

    reply = app.test_client().post("/jira/webhook", data=body, headers=signed if headers is None else headers)

    assert reply.status_code == status
    assert house.jobs.waiting == []


def test_without_a_secret_nothing_is_heard(house: House) -> None:
    app = flask.Flask("muster")
    app.register_blueprint(jira_web.blueprint(house.databases, replace(house.settings, jira_webhook_secret=None)))

    reply = app.test_client().post("/jira/webhook", data=b"{}", headers={"X-Hub-Signature": "sha256="})

    assert reply.status_code == 401
