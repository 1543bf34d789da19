"""The collector's front under its real server: slow, broken and large bodies, and the end of the process."""

from __future__ import annotations

import gzip
import http.client
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.db import Databases
from core.keys import create_key
from feedback import store
from feedback.front import LARGE_BYTES_AT_ONCE
from feedback.tables import INBOX, POLL_EVENTS
from tests.feedback.sending import a_batch, a_poll, an_answer
from tests.feedback.test_kill import a_port, serving, until

HANGING = 300
EXPECTING = "Expect: 100-continue\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phones:
    """The way to a server: its port, a key, and when answers are of."""

    databases: Databases
    port: int
    key: str
    now: datetime

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, object]]:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as line:
            line.request(method, path, body, {"Authorization": f"Bearer {self.key}", **told})
            reply = line.getresponse()
            return reply.status, json.loads(reply.read())

    def batch(self, *uuids: str) -> bytes:
        return json.dumps(a_batch(*(an_answer(uuid, at=self.now) for uuid in uuids), sent_at=None)).encode()

    def begin(self, length: int, part: bytes, head: str = "", *, path: str = "/v1/batch") -> socket.socket:
        """Send the beginning of a batch (or of what `path` takes) of so many bytes."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        line.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.key}\r\n".encode())
        line.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + part)
        return line

    def stored(self) -> set[str]:
        with self.databases.ingest() as session:
            return {*session.scalars(sa.select(POLL_EVENTS.c.uuid)), *session.scalars(sa.select(INBOX.c.uuid))}


@pytest.fixture
def phones(databases: Databases) -> Phones:
    now = datetime.now(UTC) - timedelta(minutes=2)
    with databases.control.begin() as session:
        stored = store.save_poll(session, a_poll(), app="demo", model="kws", by="U0DANA", now=now)
        store.set_poll_status(session, stored.ref, "running", now=now)
        key = create_key(session, app="demo", scope="public", name="phones", now=now)[1]
    return Phones(databases=databases, port=a_port(), key=key, now=now)


@pytest.fixture
def served(phones: Phones) -> Iterator[Phones]:
    with serving(phones.databases, phones.port):
        yield phones


def test_a_body_that_does_not_come_in_time_is_408_and_its_line_is_closed(phones: Phones) -> None:
    with serving(phones.databases, phones.port, MUSTER_BODY_WITHIN_S="0.2"), phones.begin(100, b"{") as line:
        with closing(http.client.HTTPResponse(line)) as reply:
            reply.begin()
            told = json.loads(reply.read())
        left = line.recv(1)

    assert (reply.status, left) == (408, b"")
    assert "not here within" in told["error"]


def test_bodies_that_never_come_hold_up_nobody(served: Phones) -> None:
    with ExitStack() as held:
        for _ in range(HANGING):
            held.enter_context(served.begin(100, b"{"))
        assert served.ask("POST", "/v1/batch", served.batch("a"))[0] == 200
        assert served.ask("GET", "/v1/polls?app=demo")[0] == 200


def test_large_bodies_that_never_come_are_limited_and_small_ones_still_taken(served: Phones) -> None:
    large = 2 * 1024 * 1024
    with ExitStack() as held:
        for _ in range(LARGE_BYTES_AT_ONCE // large):
            line = held.enter_context(served.begin(large, b"", EXPECTING))
            assert line.recv(1000).startswith(b"HTTP/1.1 100")  # it is being read
        assert served.ask("POST", "/v1/batch", b" " * 100_000)[0] == 503
        assert served.ask("POST", "/v1/batch", served.batch("a"))[0] == 200
    until(lambda: served.ask("POST", "/v1/batch", b" " * 100_000)[0] == 400)


def test_a_phone_that_leaves_in_the_middle_of_a_body_leaves_nothing(served: Phones) -> None:
    body = served.batch("half")
    served.begin(len(body), body[:-1]).close()

    assert served.ask("POST", "/v1/batch", served.batch("whole"))[0] == 200
    assert served.stored() == {"whole"}


@pytest.mark.parametrize("path", ["/v1/batch", "/ofrep/v1/evaluate/flags"])
def test_a_phone_that_ends_its_body_early_and_still_listens_hears_400(served: Phones, path: str) -> None:
    with served.begin(100, b"{", path=path) as line, closing(http.client.HTTPResponse(line)) as reply:
        line.shutdown(socket.SHUT_WR)
        reply.begin()
        told = json.loads(reply.read())

    assert (reply.status, told["problems"]) == (400, [])
    assert "shorter than its Content-Length" in told["error"]


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_large_batch_is_taken_whole(served: Phones, encoding: str) -> None:
    body = served.batch(*(f"u{number}" for number in range(3000)))
    told = {"Content_Encoding": encoding} if encoding else {}
    status, reply = served.ask("POST", "/v1/batch", gzip.compress(body) if encoding else body, **told)

    assert (status, reply["accepted"]) == (200, 3000)
    assert len(served.stored()) == 3000


def test_what_is_under_way_when_the_server_is_told_to_stop_is_stored_and_answered(phones: Phones) -> None:
    body = phones.batch("a")
    with serving(phones.databases, phones.port) as process, closing(phones.begin(len(body), b"", EXPECTING)) as line:
        assert line.recv(1000).startswith(b"HTTP/1.1 100")  # it is being read
        with phones.databases.ingest.begin() as session:
            if session.connection().dialect.name == "postgresql":
                session.execute(sa.text("LOCK TABLE inbox IN EXCLUSIVE MODE"))
            line.sendall(body)
            process.send_signal(signal.SIGTERM)
        with closing(http.client.HTTPResponse(line)) as reply:
            reply.begin()
        process.wait(20)

    assert reply.status == 200
    assert phones.stored() == {"a"}
