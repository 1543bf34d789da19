"""A real server process, killed with -9 under load and started again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.db import Databases
from core.keys import create_key
from feedback import store
from feedback.tables import ANSWERS, CELLS, INBOX, POLL_EVENTS
from tests.feedback.sending import a_context, a_poll, an_answer

ROOT = Path(__file__).parents[2]
SENDERS = 8


def a_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving(databases: Databases, port: int, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the collector under granian, in a process group of its own."""
    urls = {
        "MUSTER_DATABASE_URL": databases.control_engine.url.render_as_string(hide_password=False),
        "MUSTER_INGEST_URL": databases.ingest_engine.url.render_as_string(hide_password=False),
    }
    env = {**os.environ, **urls, "MUSTER_SECRET_KEY": "x" * 32, "MUSTER_HASH_KEY": "y" * 32, **settings}
    command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--loop", "uvloop", "--factory"]
    command += ["--port", str(port), "--no-ws", "--workers", "1", "--log-level", "error"]
    process = subprocess.Popen(
        [*command, "tests.feedback.collector_process:front"], cwd=ROOT, env=env, start_new_session=True
    )
    try:
        until(lambda: is_listening(port))
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def until(condition: Any, seconds: float = 20) -> None:
    limit, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < limit, "it never happened"
        pause.wait(0.02)


def post(line: http.client.HTTPConnection, key: str, event: dict[str, Any]) -> str:
    body = json.dumps({**event, "context": a_context(install=f"install-{event['uuid']}")})
    line.request("POST", "/v1/responses", body, {"Authorization": f"Bearer {key}"})
    response = line.getresponse()
    reply = json.loads(response.read())
    assert response.status == 200, reply
    status: str = reply["results"][0]["status"]
    return status


class Sender(threading.Thread):
    """Sends responses of its own one after the other until the line breaks."""

    def __init__(self, port: int, key: str, name: str, moment: datetime) -> None:
        super().__init__(daemon=True)
        self.port, self.key, self.label, self.moment = port, key, name, moment
        self.sent: list[dict[str, Any]] = []
        self.acknowledged: set[str] = set()
        self.start()

    def run(self) -> None:
        with (
            closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as line,
            suppress(OSError, http.client.HTTPException),
        ):
            while True:
                number = len(self.sent)
                event = an_answer(f"{self.label}-{number}", 1 + number % 5, at=self.moment)
                self.sent.append(event)
                assert post(line, self.key, event) == "accepted"
                self.acknowledged.add(event["uuid"])


def test_kill_9_under_load_loses_nothing_acknowledged_and_doubles_nothing(databases: Databases) -> None:
    now = datetime.now(UTC) - timedelta(minutes=2)
    with databases.control.begin() as session:
        stored = store.save_poll(session, a_poll(), app="demo", model="kws", by="U0DANA", now=now)
        store.set_poll_status(session, stored.ref, "running", now=now)
        key = create_key(session, app="demo", scope="public", name="phones", now=now)[1]
    port = a_port()

    with serving(databases, port) as process:
        senders = [Sender(port, key, f"s{number}", now) for number in range(SENDERS)]
        until(lambda: sum(len(sender.acknowledged) for sender in senders) > 300)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        until(lambda: not is_listening(port))  # the server's child may outlive it for a moment, and takes calls
    for sender in senders:
        sender.join(10)

    acknowledged = {uuid for sender in senders for uuid in sender.acknowledged}
    with databases.ingest() as session:
        kept = [*session.scalars(sa.select(POLL_EVENTS.c.uuid)), *session.scalars(sa.select(INBOX.c.uuid))]
    assert acknowledged <= set(kept)
    assert len(kept) == len(set(kept))

    with serving(databases, port), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as line:
        again = {event["uuid"]: post(line, key, event) for sender in senders for event in sender.sent[-40:]}
    assert {again[uuid] for uuid in again.keys() & set(kept)} == {"duplicate"}
    assert {again[uuid] for uuid in again.keys() - set(kept)} <= {"accepted"}

    sent = [event for sender in senders for event in sender.sent]
    store.catch_up(databases.ingest)
    with databases.ingest() as session:
        assert sorted(session.scalars(sa.select(POLL_EVENTS.c.uuid))) == sorted(event["uuid"] for event in sent)
        counted = session.execute(sa.select(sa.func.sum(CELLS.c.n), sa.func.sum(CELLS.c.total))).one()
        answered = session.execute(sa.select(sa.func.count(), sa.func.sum(sa.cast(ANSWERS.c.value, sa.Integer)))).one()
    assert tuple(counted) == tuple(answered) == (len(sent), sum(event["answers"][0]["value"] for event in sent))
