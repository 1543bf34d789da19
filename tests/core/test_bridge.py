"""A WSGI application behind granian's event loop: what it is asked, how it answers, and what becomes of bad lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import ClientDisconnected

from core.bridge import WHOLE_BYTES, Bridge
from tests.rsgi import Protocol, Scope, ask

LARGE = b"0123456789abcdef" * (WHOLE_BYTES // 4)


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)

    @app.route("/asked/<what>", methods=["GET", "POST", "HEAD"])
    def _asked(what: str) -> Response:
        told = {"what": what, "query": request.args, "host": request.host, "cookies": request.cookies}
        return jsonify(told | {"header": request.headers.get("X-Told"), "from": request.remote_addr})

    @app.post("/echo")
    def _echo() -> bytes:
        return request.get_data()

    @app.post("/size")
    def _size() -> dict[str, int]:
        size = 0
        try:
            while part := request.stream.read(100_000):
                size += len(part)
        except ClientDisconnected:
            return {"cut off after": size}
        return {"size": size}

    @app.get("/nothing")
    def _nothing() -> Response:
        return Response(status=204)

    return app


def bridged(app: Flask, scope: Scope, protocol: Protocol | None = None, *, body_within_s: float = 30.0) -> Protocol:
    return ask(Bridge(app.wsgi_app, body_within_s=body_within_s, threads=2), scope, protocol or Protocol())


def post(path: str, **headers: str) -> Scope:
    return Scope(method="POST", path=path, headers={name.replace("_", "-"): told for name, told in headers.items()})


def test_the_application_is_asked_as_by_any_server(app: Flask) -> None:
    headers = {"host": "muster.example.com", "cookie": "a=1; b=2", "x-told": "yes"}
    answer = bridged(app, Scope(path="/asked/größe", query_string="x=%41&x=2", headers=headers))

    told = {"what": "größe", "query": {"x": "A"}, "host": "muster.example.com", "cookies": {"a": "1", "b": "2"}}
    assert json.loads(answer.body) == told | {"header": "yes", "from": "127.0.0.1"}
    assert dict(answer.headers)["Content-Type"] == "application/json"


def test_a_head_has_the_length_and_no_body(app: Flask) -> None:
    answer = bridged(app, Scope(method="HEAD", path="/asked/x"))
    assert answer.body == b""
    assert int(dict(answer.headers)["Content-Length"]) > 0


def test_nothing_is_answered_with_nothing(app: Flask) -> None:
    answer = bridged(app, Scope(path="/nothing"))
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize("body", [b"", b"small", LARGE], ids=["none", "small", "large"])
def test_a_body_goes_in_and_out_as_it_is(app: Flask, body: bytes) -> None:
    halves = (body[: len(body) // 2], body[len(body) // 2 :])
    assert bridged(app, post("/echo", content_length=str(len(body))), Protocol(*halves)).body == body
    assert bridged(app, post("/echo", transfer_encoding="chunked"), Protocol(*halves)).body == body


def test_a_small_body_that_hangs_is_408_and_takes_no_thread(app: Flask) -> None:
    asked: list[object] = []
    app.before_request(lambda: asked.append(request))
    answer = bridged(app, post("/echo", content_length="9"), Protocol(b"abc", then="hang"), body_within_s=0.01)

    assert (answer.status, dict(answer.headers)["Connection"], asked) == (408, "close", [])
    assert json.loads(answer.body)["error"]


@pytest.mark.parametrize(("then", "seen"), [("hang", len(LARGE) // 100_000 * 100_000), ("end", len(LARGE))])
def test_a_large_body_that_hangs_or_breaks_is_cut_off_for_the_application(app: Flask, then: str, seen: int) -> None:
    scope = post("/size", content_length=str(2 * len(LARGE)))
    answer = bridged(app, scope, Protocol(LARGE, then=then), body_within_s=0.05)
    assert json.loads(answer.body) == {"cut off after": seen}


def test_a_small_body_that_breaks_is_never_shown_to_the_application(app: Flask) -> None:
    asked: list[object] = []
    app.before_request(lambda: asked.append(request))
    answer = bridged(app, post("/echo", content_length="9"), Protocol(b"abc", then="break"))

    assert (answer.status, dict(answer.headers)["Connection"], asked) == (400, "close", [])
    assert json.loads(answer.body)["error"]


def endless(parts: Callable[[], Iterator[bytes]], closed: list[str]) -> Flask:
    app = Flask(__name__)

    @app.get("/events")
    def _events() -> Response:
        reply = Response(parts(), content_type="text/event-stream")
        reply.call_on_close(lambda: closed.append("closed"))
        return reply

    return app


def test_each_part_of_a_stream_is_sent_when_it_is_there() -> None:
    protocol, seen = Protocol(), []

    def parts() -> Iterator[bytes]:
        for number in range(3):
            yield b"data: %d\n\n" % number
            seen.append(len(protocol.sent))

    bridged(endless(parts, []), Scope(path="/events"), protocol)
    assert (seen, protocol.body) == ([1, 2, 3], b"data: 0\n\ndata: 1\n\ndata: 2\n\n")


def test_who_leaves_a_stream_ends_it() -> None:
    closed: list[str] = []

    def parts() -> Iterator[bytes]:
        while True:
            yield b": still here\n\n"

    answer = bridged(endless(parts, closed), Scope(path="/events"), Protocol(takes=3))
    assert (len(answer.sent), closed) == (3, ["closed"])


def test_an_application_that_breaks_is_told_to_the_server() -> None:
    def broken(_environ: dict[str, Any], _start: Callable[..., Any]) -> list[bytes]:
        raise LookupError("broken")

    with pytest.raises(LookupError):
        ask(Bridge(broken, body_within_s=1), Scope(), Protocol())
