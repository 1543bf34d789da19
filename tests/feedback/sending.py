"""What a phone sends, for tests: valid events, summaries and batches, and a wire to send them over."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import Client, TestResponse

import feedback.imports_web
import feedback.reports_web
import feedback.web
from core import openapi
from core.bridge import Bridge
from core.db import Databases
from core.http_errors import register_errors
from core.keys import KeyRing, create_key
from core.settings import Settings
from feedback import bundle, polls, store
from feedback.fastpath import FastPath
from feedback.front import Front
from feedback.intake import Intake
from feedback.openapi import part
from feedback.polls import Poll
from tests.builders import T0, ManualClock
from tests.rsgi import as_wsgi

INSTALL = "install-5b1d"
POLL: dict[str, Any] = {
    "id": "heard",
    "name": "Did it hear you right?",
    "questions": [
        {"id": "q_csat", "type": "csat", "question": "Did it hear you right?"},
        {
            "id": "q_why",
            "type": "multiple_choice",
            "question": "What went wrong?",
            "has_open_choice": True,
            "choices": [{"id": "slow", "label": "Too slow"}, {"id": "wrong", "label": "Wrong word"}],
        },
        {"id": "q_txt", "type": "open", "question": "Anything else?", "optional": True},
    ],
}


def a_poll(**changes: Any) -> Poll:
    return polls.from_json(POLL | changes)


def a_running_poll(session: Session, *, app: str = "demo", **changes: Any) -> store.StoredPoll:
    """Store a poll that was started a week before T0."""
    now = T0 - timedelta(days=7)
    stored = store.save_poll(session, a_poll(**changes), app=app, model="kws", by="U0DANA", now=now)
    return store.set_poll_status(session, stored.ref, "running", now=now)


def a_context(**changes: Any) -> dict[str, Any]:
    model = {"name": "kws", "version": "1.4.0", "variant": "int8", "release": "rel_1", "arm": "candidate"}
    device = {"os.name": "Android", "device.class": "low", "soc": "Helio G35", "accelerator": "nnapi"}
    consent = {"granted": True, "text_version": "2026-10", "at": "2026-11-01T08:00:00Z"}
    return {"install": INSTALL, **device, "model": model, "consent": consent} | changes


def an_answer(uuid: str, value: Any = 4, *, at: datetime = T0, **changes: Any) -> dict[str, Any]:
    named = {"uuid": uuid, "event": "poll answered", "timestamp": at.isoformat(), "poll": "heard"}
    return named | {"submission": f"sub-{uuid}", "answers": [{"question": "q_csat", "value": value}]} | changes


def a_summary(uuid: str, *, at: datetime = T0 - timedelta(hours=1), **changes: Any) -> dict[str, Any]:
    latency = {"scheme": "log2x4", "buckets": {"20": 31, "22": 60, "24": 9}, "sum": 3000.0, "max": 70.5}
    return {"uuid": uuid, "window_start": at.isoformat(), "count": 100, "latency_ms": latency} | changes


def a_batch(*events: dict[str, Any], inferences: tuple[dict[str, Any], ...] = (), **changes: Any) -> dict[str, Any]:
    return {"sent_at": T0.isoformat(), "context": a_context(), "events": events, "inferences": inferences} | changes


class Wire:
    """The collector as a phone meets it; `public` and `secret` are keys of the app `demo`.

    What was posted is folded at once, so that a test may look into the tables. `in_loop` asks the event loop's front,
    which is what runs, instead of its WSGI counterpart.
    """

    def __init__(self, databases: Databases, settings: Settings, clock: ManualClock, *, in_loop: bool = True) -> None:
        self.databases = databases
        with databases.control.begin() as session:
            self.public = create_key(session, app="demo", scope="public", name="phones", now=T0)[1]
            self.secret = create_key(session, app="demo", scope="secret", name="build", now=T0)[1]
        flask = Flask(__name__)
        register_errors(flask)
        keys = KeyRing(databases, clock)
        for room in (feedback.web, feedback.reports_web, feedback.imports_web):
            flask.register_blueprint(room.blueprint(databases, settings, clock, keys))
        flask.register_blueprint(openapi.blueprint(described(settings)))
        intake = Intake(databases, settings, clock, keys)
        front = Front(Bridge(flask.wsgi_app, body_within_s=30, threads=1), intake, body_within_s=30)
        self.client = Client(as_wsgi(front) if in_loop else FastPath(flask.wsgi_app, intake))

    def batch(self, body: Any, **headers: str) -> TestResponse:
        return self.post("/v1/batch", body, **headers)

    def post(self, path: str, body: Any, **headers: str) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = self.client.post(path, data=data, headers=self.headers(**headers))
        store.catch_up(self.databases.ingest)
        return response

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers=self.headers(**headers))

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.client.delete(path, headers=self.headers(**headers))

    def headers(self, **more: str) -> dict[str, str]:
        told = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.public}"} | told


def described(settings: Settings) -> dict[str, Any]:
    """Return the document of the collector alone."""
    key = {"algorithm": "ed25519", "public": bundle.public_key(settings.secret_key)}
    return openapi.compose([part()], public_url=settings.public_url, bundle_key=key)


def statuses(response: TestResponse) -> list[str]:
    assert response.json
    return [result["status"] for result in response.json["results"]]


def problems(response: TestResponse, index: int = 0) -> dict[str, str]:
    """Return the problems of one item of a reply, by path."""
    assert response.json
    return {each["path"]: each["message"] for each in response.json["results"][index].get("problems", [])}
