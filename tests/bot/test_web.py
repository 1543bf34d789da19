"""Slack's door: signed, fresh, and never a bare 500."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import flask
import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from bot.app import create_app
from bot.context import Context
from core.db import Databases
from core.settings import Settings
from tests.conftest import JobList

COMMAND = {
    "team_id": "T0MUSTER", "user_id": "U0PAM", "user_name": "pam", "channel_id": "C0FEEDBACK", "command": "/muster",
    "text": "whoami", "trigger_id": "1.2.abc", "response_url": "http://127.0.0.1:9/response/x",
}  # fmt: skip


IN_PRIVATE = {"type": "message", "channel_type": "im", "channel": "D1", "user": "U1", "text": "status", "ts": "1"}


@pytest.fixture
def door(web_app: flask.Flask, bot_settings: Settings) -> Door:
    return Door(web_app, bot_settings.slack_signing_secret or "")


class Door:
    def __init__(self, app: flask.Flask, secret: str) -> None:
        self.client = app.test_client()
        self.secret = secret

    def command(self, *, secret: str | None = None, age_s: float = 0.0, **changes: str) -> TestResponse:
        body = urlencode(COMMAND | changes).encode()
        return self.post(body, "application/x-www-form-urlencoded", secret=secret, age_s=age_s)

    def event(self, event: dict[str, Any], event_id: str = "Ev1") -> TestResponse:
        body = {"type": "event_callback", "team_id": "T0MUSTER", "event_id": event_id, "event": event}
        return self.post(json.dumps(body).encode(), "application/json")

    def post(self, body: bytes, kind: str, *, secret: str | None = None, age_s: float = 0.0) -> TestResponse:
        stamp = str(int(time.time() - age_s))
        base = b"v0:" + stamp.encode() + b":" + body
        signature = "v0=" + hmac.new((secret or self.secret).encode(), base, hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
        return self.client.post("/slack/events", data=body, content_type=kind, headers=headers)


def test_a_signed_command_is_taken_and_stored(door: Door, jobs: JobList) -> None:
    assert door.command().status_code == 200
    assert jobs.names() == ["hear"]


def test_a_wrong_signature_is_refused(door: Door, jobs: JobList) -> None:
    assert door.command(secret="somebody else's").status_code == 401
    assert jobs.waiting == []


@pytest.mark.parametrize("age_s", [301, -301])
def test_an_old_or_early_request_is_a_replay(door: Door, jobs: JobList, age_s: float) -> None:
    assert door.command(age_s=age_s).status_code == 401
    assert jobs.waiting == []


def test_a_repeat_of_the_same_request_changes_nothing(door: Door, jobs: JobList) -> None:
    assert [door.command().status_code for _ in range(3)] == [200, 200, 200]
    assert len(jobs.waiting) == 1


def test_without_a_signing_secret_nobody_gets_in(ctx: Context, web_app: flask.Flask, jobs: JobList) -> None:
    bolt = create_app(_without_secret(ctx))

    assert bolt._signing_secret  # an empty one could be guessed: everybody knows it
    assert Door(web_app, "").command(secret="x").status_code == 401


def _without_secret(ctx: Context) -> Context:
    return replace(ctx, settings=replace(ctx.settings, slack_signing_secret=None))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"payload=%7B", "application/x-www-form-urlencoded"),
        (b"payload=[]", "application/x-www-form-urlencoded"),
        (b"hello", "text/plain"),
        (b"[" * 50_000, "application/json"),
    ],
)
def test_what_is_no_request_of_slacks_is_400(door: Door, body: bytes, kind: str) -> None:
    assert door.post(body, kind).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Slack-Request-Timestamp": "now", "X-Slack-Signature": "v0=1"},
        {"X-Slack-Request-Timestamp": "1" * 400, "X-Slack-Signature": "v0=1"},
        {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=é"},
    ],
)
def test_headers_that_make_no_sense_are_401(door: Door, headers: dict[str, str]) -> None:
    reply = door.client.post("/slack/events", data=b"{}", content_type="application/json", headers=headers)

    assert reply.status_code == 401


def test_a_body_that_is_too_large_is_413(door: Door) -> None:
    assert door.post(b"x" * (1024 * 1024 + 1), "application/json").status_code == 413


def test_slacks_own_challenge_is_answered(door: Door) -> None:
    reply = door.post(json.dumps({"type": "url_verification", "challenge": "abc"}).encode(), "application/json")

    assert (reply.status_code, reply.json) == (200, {"challenge": "abc"})


@pytest.mark.parametrize(
    "event",
    [
        IN_PRIVATE | {"user": "U0MUSTER", "bot_id": "B1"},
        IN_PRIVATE | {"subtype": "message_changed"},
        IN_PRIVATE | {"channel_type": "channel", "channel": "C1"},
        {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "messages", "event_ts": "1"},
    ],
    ids=["a bot's words", "an edit", "talk in a channel", "the messages tab"],
)  # fmt: skip
def test_what_is_not_said_to_us_is_acknowledged_and_forgotten(door: Door, jobs: JobList, event: dict[str, Any]) -> None:
    assert door.event(event).status_code == 200
    assert jobs.waiting == []


def test_an_event_is_acknowledged_only_after_it_is_written_down(door: Door, jobs: JobList) -> None:
    door.event(IN_PRIVATE)

    assert jobs.names() == ["hear"]


def test_what_could_not_be_written_down_is_said_and_events_come_again(door: Door, databases: Databases) -> None:
    with databases.control.begin() as session:
        session.execute(sa.text("DROP TABLE deliveries"))
    said = door.command()
    mention = door.event({"type": "app_mention", "channel": "C1", "user": "U1", "text": "<@U0> status", "ts": "1"})

    assert said.status_code == 200
    assert said.json is not None
    assert said.json["response_type"] == "ephemeral"
    assert "I could not write that down" in said.json["text"]
    assert "no such table" not in said.text
    assert (mention.status_code, mention.text) == (503, "")


def test_get_is_not_a_way_in(door: Door) -> None:
    assert door.client.get("/slack/events").status_code == 405
