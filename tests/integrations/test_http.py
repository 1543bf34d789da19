"""What is tried again, what is refused, what may have been done, and what no error tells."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import flask
import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from core.errors import UpstreamError
from integrations.http import JsonClient, OutcomeUnknownError
from tests.integrations.wire import Wire

SITE = "https://jira.example"
SECRET = "s3cr3t-token"


class Service:
    """Answers each request with the next of its answers: (status, headers, body), or an error to raise."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.pauses: list[float] = []
        self.app = flask.Flask("service")
        self.app.add_url_rule("/<path:_path>", "all", self._answer, methods=["GET", "POST", "PUT", "DELETE"])
        self.wire = Wire(self.app, watch=self._watch)
        auth = ("me@example.com", SECRET)
        self.client = JsonClient("jira", SITE, auth=auth, adapter=self.wire, pause=self.pauses.append)

    def _watch(self, when: str, _request: requests.PreparedRequest) -> None:
        if when == "before" and self.answers and isinstance(self.answers[0], Exception):
            raise self.answers.pop(0)

    def _answer(self, _path: str) -> tuple[Any, int, dict[str, str]]:
        status, headers, body = self.answers.pop(0)
        return body, status, headers


def refused() -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, f"refused {SECRET}")))  # type: ignore[arg-type]


OK: Any = (200, {}, {"fine": True})


@pytest.mark.parametrize(
    ("method", "first", "tries"),
    [
        pytest.param("GET", (429, {"Retry-After": "1"}, {}), 2, id="a read that came too fast"),
        pytest.param("GET", (503, {}, {}), 2, id="a read during an outage"),
        pytest.param("GET", requests.ConnectionError("gone"), 2, id="a read whose connection broke"),
        pytest.param("GET", requests.ReadTimeout(), 2, id="a read that got no answer"),
        pytest.param("POST", (429, {"Retry-After": "1"}, {}), 2, id="a write that came too fast"),
        pytest.param("POST", (503, {"Retry-After": "0"}, {}), 2, id="a write that was turned away with a time"),
    ],
)
def test_is_tried_again_at_once(method: Any, first: Any, tries: int) -> None:
    service = Service(first, OK)

    assert service.client.request(method, "/issue", {} if method == "POST" else None).body == {"fine": True}
    assert len(service.pauses) == tries - 1


@pytest.mark.parametrize(
    "first",
    [
        pytest.param((500, {}, {}), id="an error inside"),
        pytest.param((502, {}, "<html>"), id="a gateway's error"),
        pytest.param((503, {}, {}), id="an outage that promises nothing"),
        pytest.param((504, {}, {}), id="a gateway's time-out"),
        pytest.param((200, {}, "<html>login</html>"), id="a page in place of JSON"),
        pytest.param(requests.ReadTimeout(), id="no answer in time"),
        pytest.param(requests.ConnectionError("reset"), id="a broken connection"),
        pytest.param(requests.exceptions.ChunkedEncodingError("cut"), id="an answer cut short"),
    ],
)
def test_a_write_that_may_have_been_done_is_never_sent_again(first: Any) -> None:
    service = Service(first, OK)

    with pytest.raises(OutcomeUnknownError) as caught:
        service.client.request("POST", "/issue", {})

    assert not caught.value.permanent
    assert service.answers == [OK]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(requests.ConnectTimeout(), id="nobody took the call"),
        pytest.param(refused(), id="the port was closed"),
    ],
)
def test_a_write_that_was_never_sent_is_certainly_not_done(first: Exception) -> None:
    service = Service(first)

    with pytest.raises(UpstreamError) as caught:
        service.client.request("POST", "/issue", {})

    assert not isinstance(caught.value, OutcomeUnknownError)
    assert not caught.value.permanent


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_a_refusal_is_permanent_and_says_why(status: int) -> None:
    service = Service((status, {}, {"errorMessages": ["Not so."], "errors": {"summary": "too long"}}))

    with pytest.raises(UpstreamError, match=r"Not so\.; summary: too long") as caught:
        service.client.request("POST", "/issue", {})

    assert caught.value.permanent
    assert not service.pauses


def test_a_redirect_is_refused_so_that_the_token_goes_nowhere_else() -> None:
    service = Service((302, {"Location": "https://evil.example"}, {}))

    with pytest.raises(UpstreamError, match="redirects") as caught:
        service.client.request("GET", "/issue")

    assert caught.value.permanent
    assert len(service.wire.sent) == 1


def test_a_long_wait_is_left_to_the_job() -> None:
    service = Service((429, {"Retry-After": "90"}, {}))

    with pytest.raises(UpstreamError) as caught:
        service.client.request("POST", "/issue", {})

    assert caught.value.retry_after_s == 90
    assert not service.pauses


def test_a_wait_until_a_date_is_understood() -> None:
    headers = {"Date": "Mon, 16 Nov 2026 09:00:00 GMT", "Retry-After": "Mon, 16 Nov 2026 09:01:30 GMT"}
    service = Service((503, headers, {}))

    with pytest.raises(UpstreamError) as caught:
        service.client.request("GET", "/issue")

    assert caught.value.retry_after_s == 90


@pytest.mark.parametrize(
    "wait", ["soon", "Mon, 16 Nov 99999999999999999999 09:00:00 GMT", "Mon, 16 Nov 2026 09:00:00 +9999999999999"]
)
def test_a_wait_that_cannot_be_read_is_none(wait: str) -> None:
    service = Service((429, {"Date": "Mon, 16 Nov 2026 09:00:00 GMT", "Retry-After": wait}, {}))

    with pytest.raises(UpstreamError) as caught:
        service.client.request("POST", "/issue", {})

    assert (caught.value.permanent, caught.value.retry_after_s) == (False, None)


def test_gives_up_for_now_after_three_tries() -> None:
    service = Service(*[(503, {}, {})] * 4)

    with pytest.raises(UpstreamError):
        service.client.request("GET", "/issue")

    assert len(service.answers) == 1


def test_a_status_may_be_accepted() -> None:
    service = Service((404, {}, {"errorMessages": ["none"]}))

    assert service.client.request("GET", "/issue/X-1", accept=frozenset({404})).status == 404


def test_every_request_has_time_limits() -> None:
    service = Service(OK)
    seen: list[Any] = []
    inner: Callable[..., requests.Response] = service.wire.send

    def send(request: requests.PreparedRequest, **options: Any) -> requests.Response:
        seen.append(options["timeout"])
        return inner(request, **options)

    service.wire.send = send  # type: ignore[method-assign, assignment]
    service.client.request("GET", "/issue")

    assert seen == [(3.05, 10.0)]


def test_no_error_and_no_log_line_tells_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = {"message": f"bad credentials {SECRET}"}
    said = []

    answers: list[Any] = [refused(), (401, {}, echo), (500, {}, echo)]
    for answer in answers:
        with pytest.raises(UpstreamError) as caught:
            Service(answer).client.request("POST", "/issue", {"summary": "x"})
        said.append(f"{caught.value} {caught.value.__cause__}")

    assert SECRET not in "".join(said) + caplog.text
