"""The real web process tells whoever listens of a change that another process made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from bot.cli import main
from core.db import Databases
from core.keys import create_key
from releases.rollout import Halt
from tests.builders import T0
from tests.feedback.test_kill import a_port, is_listening, until
from tests.releases.builders import do, register_both, start

pytestmark = pytest.mark.slow
FLAGS = "/ofrep/v1/evaluate/flags"
MUSTER = Path(sys.executable).with_name("muster")


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """A running `muster web` and a key of a dashboard."""

    url: str
    key_id: str
    headers: dict[str, str]
    process: subprocess.Popen[bytes]

    def ask(self, query: str = "", **headers: str) -> requests.Response:
        body = {"context": {"targetingKey": "device-42", "os.name": "android", "ram_gb": 6}}
        return requests.post(f"{self.url}{FLAGS}{query}", json=body, headers=self.headers | headers, timeout=10)


@pytest.fixture
def web(databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    port = a_port()
    values = {
        "MUSTER_DATABASE_URL": databases.control_engine.url.render_as_string(hide_password=False),
        "MUSTER_INGEST_URL": databases.ingest_engine.url.render_as_string(hide_password=False),
        "MUSTER_SECRET_KEY": "s" * 32, "MUSTER_HASH_KEY": "h" * 32, "MUSTER_BLOB_DIR": str(tmp_path / "blobs"),
        "MUSTER_WEB_PORT": str(port), "MUSTER_APP": "demo",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with databases.control.begin() as session:
        key, token = create_key(session, app="demo", scope="public", name="dashboard", now=T0)
        register_both(session)
    process = subprocess.Popen([MUSTER, "web"], env={**os.environ, **values})
    try:
        until(lambda: is_listening(port), 60)
        yield Web(
            url=f"http://127.0.0.1:{port}", key_id=key.id, headers={"Authorization": f"Bearer {token}"}, process=process
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_a_halt_by_another_process_is_heard_and_asked_for(web: Web, databases: Databases) -> None:
    assert "eventStreams" not in web.ask().json()
    assert CliRunner().invoke(main, ["keys", "push", web.key_id]).exit_code == 0
    until(lambda: "eventStreams" in web.ask().json())
    told = web.ask()
    (stream,) = told.json()["eventStreams"]

    with requests.get(web.url + stream["endpoint"]["requestUri"], stream=True, timeout=30) as reply:
        lines = reply.iter_lines(chunk_size=1)
        assert next(lines) == b"retry: 5000"
        with databases.control.begin() as session:
            release, rollout = start(session)
        event = json.loads(next(line for line in lines if line.startswith(b"data:"))[6:])
        offered = web.ask(f"?flagConfigEtag={event['etag']}", **{"If-None-Match": told.headers["ETag"]})
        with databases.control.begin() as session:
            do(session, rollout, Halt(reason="look"))
        again = json.loads(next(line for line in lines if line.startswith(b"data:"))[6:])

    assert offered.json()["flags"][0]["metadata"]["release"] == release.id
    assert int(again["etag"]) > int(event["etag"])
    assert web.ask(**{"If-None-Match": offered.headers["ETag"]}).status_code == 304


def test_a_stream_that_is_open_does_not_keep_web_from_stopping(web: Web) -> None:
    CliRunner().invoke(main, ["keys", "push", web.key_id])
    until(lambda: "eventStreams" in web.ask().json())
    (stream,) = web.ask().json()["eventStreams"]

    with requests.get(web.url + stream["endpoint"]["requestUri"], stream=True, timeout=30) as reply:
        lines = reply.iter_lines(chunk_size=1)
        assert next(lines) == b"retry: 5000"
        web.process.send_signal(signal.SIGTERM)
        assert list(lines) == [b""]  # it ends as it should, long before the next sign of life

    assert web.process.wait(timeout=30) == 0


def test_a_key_that_is_not_there_is_told(web: Web) -> None:
    result = CliRunner().invoke(main, ["keys", "push", "key_none"])

    assert (result.exit_code, "There is no key key_none" in result.output) == (2, True)
