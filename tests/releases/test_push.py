"""Push: keys that are allowed one are told of a stream, and the stream says when to ask again, over a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from core.db import Databases
from core.http_errors import register_errors
from core.keys import find_key
from core.settings import Settings
from releases import counters, push
from releases.catalog import Catalog
from releases.rollout import Halt
from tests.builders import T0, ManualClock
from tests.releases.builders import Seconds, do, register_both, start
from tests.releases.conftest import Keys

FLAGS = "/ofrep/v1/evaluate/flags"


def ask(client: FlaskClient, key: str, etag: str = "") -> tuple[int, str, list[dict[str, object]] | None]:
    headers = {"Authorization": f"Bearer {key}"} | ({"If-None-Match": etag} if etag else {})
    reply = client.post(FLAGS, json={"context": {"targetingKey": "device-1"}}, headers=headers)
    return reply.status_code, reply.headers["ETag"], (reply.get_json(silent=True) or {}).get("eventStreams")


def allow(databases: Databases, key: str) -> None:
    with databases.control.begin() as session:
        found = find_key(session, key)
        assert found is not None
        push.allow_push(session, found.id, now=T0)


def test_only_a_key_that_is_allowed_one_is_told_of_a_stream(
    client: FlaskClient, api_keys: Keys, databases: Databases, seconds: Seconds
) -> None:
    allow(databases, api_keys.public)

    told = ask(client, api_keys.public)[2]

    assert told is not None
    assert [stream["type"] for stream in told] == ["sse"]
    assert ask(client, api_keys.elsewhere)[2] is None
    with databases.control.begin() as session:
        key = find_key(session, api_keys.public)
        assert key is not None
        push.forbid_push(session, key.id)
    seconds.now += 1
    assert ask(client, api_keys.public)[2] is None


def test_a_stream_changes_no_etag(
    client: FlaskClient, api_keys: Keys, databases: Databases, clock: ManualClock
) -> None:
    allow(databases, api_keys.public)
    _, etag, _ = ask(client, api_keys.public)

    clock.advance(minutes=5)

    assert ask(client, api_keys.public, etag)[:2] == (304, etag)


@pytest.fixture
def stream_url(databases: Databases, settings: Settings, clock: ManualClock) -> Iterator[str]:
    """A live server with one stream at most; its address is signed."""
    app = Flask("test")
    register_errors(app)
    routes = push.blueprint(Catalog(databases), clock, key=settings.secret_key, at_most=1,
                            pace=push.Pace(look_s=0.02, ping_s=0.05, stream_s=5))  # fmt: skip
    app.register_blueprint(routes)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    uri = push.event_streams("demo", now=clock(), key=settings.secret_key)[0]["endpoint"]["requestUri"]
    yield f"http://127.0.0.1:{server.server_port}{uri}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_halt_is_pushed_to_whoever_listens(stream_url: str, databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = start(session)

    with requests.get(stream_url, stream=True, timeout=5) as reply:
        lines = reply.iter_lines(chunk_size=1)
        assert next(lines) == b"retry: 5000"
        with databases.control.begin() as session:
            do(session, rollout, Halt(reason="look"))
        heard = next(line for line in lines if line.startswith(b"data:"))

    assert reply.headers["Content-Type"].startswith("text/event-stream")
    told = json.loads(heard.removeprefix(b"data: "))
    assert (told["type"], int(told["etag"]) > 0) == ("refetchEvaluation", True)


def test_a_process_that_has_not_looked_yet_looks_when_a_client_knows_of_a_change(
    client: FlaskClient, api_keys: Keys, databases: Databases
) -> None:
    with databases.control.begin() as session:
        register_both(session)
    assert asked_after(client, api_keys.public, "0") == "none"
    with databases.control.begin() as session:
        start(session)
        revision = counters.current(session, "catalog")

    assert asked_after(client, api_keys.public, str(revision - 100)) == "none"
    assert asked_after(client, api_keys.public, "no number") == "none"
    assert asked_after(client, api_keys.public, str(revision)) == "R1"


def asked_after(client: FlaskClient, key: str, etag: str) -> str:
    """Return which release is told of when a client asks after an event; the process's own time stands still."""
    headers = {"Authorization": f"Bearer {key}"}
    reply = client.post(
        f"{FLAGS}?flagConfigEtag={etag}", json={"context": {"targetingKey": "device-1"}}, headers=headers
    )
    return "R1" if "release" in reply.get_json()["flags"][0]["metadata"] else "none"


def test_one_stream_too_many_is_told_to_poll_and_a_quiet_one_stays_open(stream_url: str) -> None:
    with requests.get(stream_url, stream=True, timeout=5) as first:
        refused = requests.get(stream_url, timeout=5)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
        assert refused.json() == {"error": "All 1 streams are taken; poll instead.", "problems": []}
        lines = [line for line in islice(first.iter_lines(chunk_size=1), 4) if line]
        assert b": still here" in lines


def test_a_link_that_is_old_or_for_another_app_opens_nothing(stream_url: str, clock: ManualClock) -> None:
    assert requests.get(stream_url.replace("/demo?", "/other?"), timeout=5).status_code == 403

    clock.now += push.LIVES + timedelta(seconds=1)

    assert requests.get(stream_url, timeout=5).status_code == 403


def test_a_stream_ends_by_itself(databases: Databases) -> None:
    seconds = Seconds()

    def wait(length: float) -> None:
        seconds.now += length

    pace = push.Pace(seconds=seconds, wait=wait, stream_s=60, look_s=1, ping_s=15)
    heard = list(push.changes(Catalog(databases, seconds=seconds), "demo", pace))

    assert heard == [b"retry: 5000\n\n", *[b": still here\n\n"] * 4]


def test_a_stream_ends_when_the_process_is_about_to_stop(databases: Databases) -> None:
    stopping = threading.Event()
    stream = push.changes(Catalog(databases), "demo", push.Pace(wait=stopping.wait))
    next(stream)

    stopping.set()

    assert list(stream) == []
