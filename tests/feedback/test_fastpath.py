from __future__ import annotations

import gzip
import io
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from backports import zstd

from core.db import Databases
from core.settings import Settings
from feedback.inflate import inflate
from feedback.tables import POLL_EVENTS
from feedback.unpack import MalformedError, TooLargeError
from tests.builders import T0, ManualClock
from tests.feedback.sending import Wire, a_batch, a_context, a_running_poll, a_summary, an_answer, problems, statuses


@pytest.fixture(params=[True, False], ids=["event loop", "threads"])
def wire(databases: Databases, settings: Settings, clock: ManualClock, request: pytest.FixtureRequest) -> Wire:
    with databases.control.begin() as session:
        a_running_poll(session)
    return Wire(databases, settings, clock, in_loop=request.param)


def test_every_item_has_its_own_result(wire: Wire) -> None:
    batch = a_batch(an_answer("a"), an_answer("b", 9), an_answer("a"), inferences=(a_summary("i"),))
    response = wire.batch(batch)

    assert response.status_code == 200
    assert response.json is not None
    assert {name: response.json[name] for name in ("accepted", "duplicate", "rejected")} == {
        "accepted": 2,
        "duplicate": 1,
        "rejected": 1,
    }
    assert statuses(response) == ["accepted", "rejected", "duplicate", "accepted"]
    assert problems(response, 1) == {"answers[0].value": "must be 1 to 5"}


def test_a_retried_batch_is_answered_duplicate(wire: Wire) -> None:
    batch = a_batch(an_answer("a"), inferences=(a_summary("i"),))
    assert statuses(wire.batch(batch)) == ["accepted", "accepted"]
    assert statuses(wire.batch(batch)) == ["duplicate", "duplicate"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_may_be_compressed(wire: Wire, encoding: str) -> None:
    plain = json.dumps(a_batch(an_answer("a"))).encode()
    body = gzip.compress(plain) if encoding == "gzip" else zstd.compress(plain)
    assert statuses(wire.batch(body, Content_Encoding=encoding)) == ["accepted"]


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        pytest.param(b"{", "", 400, id="malformed JSON"),
        pytest.param(b"{}", "gzip", 400, id="not gzip"),
        pytest.param(gzip.compress(b"{}" * 50)[:-9], "gzip", 400, id="gzip cut off"),
        pytest.param(b"{}", "zstd", 400, id="not zstd"),
        pytest.param(zstd.compress(b"{}" * 500)[:-4], "zstd", 400, id="zstd cut off"),
        pytest.param(b"{}", "br", 415, id="unknown encoding"),
        pytest.param(b" " * (2 * 1024 * 1024 + 1), "", 413, id="too large"),
        pytest.param(gzip.compress(b" " * (16 * 1024 * 1024 + 1)), "gzip", 413, id="gzip bomb"),
        pytest.param(zstd.compress(b" " * (64 * 1024 * 1024)), "zstd", 413, id="zstd bomb"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_with_a_reason(
    wire: Wire, body: bytes, encoding: str, status: int
) -> None:
    response = wire.batch(body, **({"Content_Encoding": encoding} if encoding else {}))

    assert response.status_code == status
    assert response.json is not None
    assert response.json["error"]


def test_inflating_stops_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, compresslevel=9)
    with pytest.raises(TooLargeError):
        inflate(bomb, "gzip", 1000)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_body_in_several_compressed_members_is_taken_whole(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    body = compress(b"[1, ") + compress(b"") + compress(b"2]")

    assert inflate(body, encoding, 6) == b"[1, 2]"
    with pytest.raises(TooLargeError):
        inflate(body, encoding, 5)
    with pytest.raises(MalformedError):
        inflate(body[:-3], encoding, 6)
    with pytest.raises(MalformedError):
        inflate(body + b"x", encoding, 6)
    with pytest.raises(MalformedError):
        inflate(compress(b"") * 101, encoding, 6)


def test_an_empty_compressed_body_is_malformed() -> None:
    for encoding in ("gzip", "zstd"):
        with pytest.raises(MalformedError):
            inflate(b"", encoding, 1000)


def test_no_key_or_a_wrong_one_is_401(wire: Wire) -> None:
    for told in ("", "Bearer pk_wrong", "Basic abc"):
        response = wire.batch(a_batch(an_answer("a")), Authorization=told)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_key_may_come_in_a_header_of_its_own(wire: Wire) -> None:
    response = wire.client.post("/v1/batch", json=a_batch(an_answer("a")), headers={"X-API-Key": wire.public})
    assert statuses(response) == ["accepted"]


def test_too_fast_is_429_with_whole_seconds_to_wait(
    databases: Databases, settings: Settings, clock: ManualClock
) -> None:
    wire = Wire(databases, replace(settings, rate_limit_per_s=0.1), clock)

    assert wire.batch({}).status_code == 200
    response = wire.batch({})

    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 10


def test_a_database_that_is_away_is_503_with_retry_after(wire: Wire, databases: Databases) -> None:
    with databases.ingest.begin() as session:
        session.execute(sa.text("DROP TABLE poll_events"))
    response = wire.batch(a_batch(an_answer("a")))

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1


def test_one_response_is_taken_the_simplest_way(wire: Wire) -> None:
    body = {"uuid": "u1", "install": "abcd", "poll": "heard", "answers": [{"question": "q_csat", "value": 5}]}

    first, again = wire.post("/v1/responses", body), wire.post("/v1/responses", body)

    assert (first.status_code, statuses(first)) == (200, ["accepted"])
    assert (again.status_code, statuses(again)) == (200, ["duplicate"])


def test_one_response_that_is_rejected_is_422_with_all_its_problems(wire: Wire) -> None:
    body = {"uuid": "u1", "poll": "heard", "answers": [{"question": "q_csat", "value": 6}]}
    response = wire.post("/v1/responses", body)

    assert response.status_code == 422
    assert set(problems(response)) == {"context.install", "answers[0].value"}


def test_other_methods_are_told_what_is_taken(wire: Wire) -> None:
    response = wire.get("/v1/batch")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_a_chunked_body_is_read_to_its_end(wire: Wire) -> None:
    body = json.dumps(a_batch(an_answer("a"))).encode()
    response = wire.client.post(
        "/v1/batch",
        input_stream=_Stream(body),
        headers={"Authorization": f"Bearer {wire.public}", "Transfer-Encoding": "chunked"},
        environ_overrides={"CONTENT_LENGTH": ""},
    )
    assert statuses(response) == ["accepted"]


class _Stream(io.BytesIO):
    """A stream that gives a body in small parts."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(100 if size is None or size < 0 else min(size, 100))


def test_neither_an_address_nor_an_install_is_stored_or_logged(
    wire: Wire, databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wire.client.post(
        "/v1/batch",
        json=a_batch(an_answer("a"), inferences=(a_summary("i"),), context=a_context(install="raw-install-id")),
        headers={"Authorization": f"Bearer {wire.public}", "X-Forwarded-For": "203.0.113.9"},
        environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
    )
    with databases.ingest() as session:
        tables = sa.inspect(session.connection()).get_table_names()
        kept = "".join(str(session.execute(sa.text(f"SELECT * FROM {name}")).all()) for name in tables)

    logged = "".join(str(record.__dict__) for record in caplog.records)
    assert "'a'" in kept
    for secret in ("203.0.113.9", "raw-install-id"):
        assert secret not in kept
        assert secret not in logged


def test_late_batches_keep_when_it_happened(wire: Wire, databases: Databases) -> None:
    last_week = T0 - timedelta(days=6)
    wire.batch(a_batch(an_answer("a", at=last_week)))
    with databases.ingest() as session:
        assert session.scalars(sa.select(POLL_EVENTS.c.at)).all() == [last_week]


def test_a_poll_started_a_moment_ago_may_be_answered(
    databases: Databases, settings: Settings, clock: ManualClock
) -> None:
    wire = Wire(databases, settings, clock)
    assert statuses(wire.batch(a_batch(an_answer("a")))) == ["rejected"]
    with databases.control.begin() as session:
        a_running_poll(session)
    limit = time.monotonic() + 5
    found = ["rejected"]
    while found == ["rejected"] and time.monotonic() < limit:
        found = statuses(wire.batch(a_batch(an_answer("a"))))
    assert found == ["accepted"]
