"""Other tools' answers over HTTP are checked by the poll and stored once, like a phone's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from core import standard_webhooks
from core.settings import Settings
from tests.builders import T0
from tests.feedback.foreign import SECRET, a_formbricks_response, a_mapping, a_posthog_event, a_zigpoll_row
from tests.feedback.sending import Wire, problems, statuses


def connect(wire: Wire, address: str, **changes: Any) -> TestResponse:
    return wire.client.put(f"/v1/imports/{address}", json=a_mapping(**changes), headers=_secret(wire))


def take(wire: Wire, address: str, rows: object, query: str = "") -> TestResponse:
    return wire.client.post(f"/v1/imports/{address}{query}", json=rows, headers=_secret(wire))


def answers_of(wire: Wire) -> int:
    report = wire.get("/v1/reports/kws?since=30d", **_secret(wire)).json
    assert report is not None
    return int(report["overall"]["n"]) if report["overall"] else 0


def _secret(wire: Wire) -> dict[str, str]:
    return {"Authorization": f"Bearer {wire.secret}"}


def signed(body: bytes, *, secret: str = SECRET, age: timedelta = timedelta()) -> dict[str, str]:
    return dict(standard_webhooks.sign(secret, message_id="msg_1", at=T0 - age, body=body))


def hook(wire: Wire, body: bytes, headers: dict[str, str]) -> TestResponse:
    return wire.client.post("/v1/imports/formbricks/fb1/webhook", data=body, headers=headers)


def test_a_page_of_zigpoll_is_stored_once_however_often_it_comes(wire: Wire) -> None:
    connect(wire, "zigpoll/z1")
    page = {"data": [a_zigpoll_row(f"r{n}") for n in range(30)]}

    first, again = take(wire, "zigpoll/z1", page), take(wire, "zigpoll/z1", page["data"])

    assert first.json is not None
    assert again.json is not None
    assert (first.json["accepted"], again.json["duplicate"]) == (30, 30)
    assert answers_of(wire) == 30


def test_a_bad_row_does_not_cost_the_others(wire: Wire) -> None:
    connect(wire, "zigpoll/z1")
    rows = [a_zigpoll_row("r1"), a_zigpoll_row("r2", answers=["eleven"]), {"pollId": "z1"}]

    reply = take(wire, "zigpoll/z1", rows)

    assert statuses(reply) == ["accepted", "rejected", "rejected"]
    assert problems(reply, 1) == {"answers[0].value": "must be 1 to 5"}
    assert "createdAt" in problems(reply, 2)


def test_a_dry_run_says_what_would_happen_and_keeps_nothing(wire: Wire) -> None:
    connect(wire, "zigpoll/z1")

    reply = take(wire, "zigpoll/z1", [a_zigpoll_row(f"r{n}") for n in range(25)], "?dry_run=1")

    assert reply.json is not None
    assert reply.json["accepted"] == 25
    assert answers_of(wire) == 0


def test_rows_of_a_survey_that_is_not_connected_are_refused_with_what_to_do(wire: Wire) -> None:
    reply = take(wire, "zigpoll/z1", [a_zigpoll_row()])

    assert reply.status_code == 404
    assert "muster import connect" in (reply.json or {})["error"]


def test_a_mapping_to_a_question_that_is_not_there_is_refused(wire: Wire) -> None:
    reply = connect(wire, "zigpoll/z1", questions={"a": "q_cast"})

    assert reply.status_code == 422
    assert (reply.json or {})["problems"][0]["path"] == "questions.a"


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_***"])
def test_a_secret_that_could_not_be_one_is_refused_and_not_repeated(wire: Wire, secret: str) -> None:
    reply = connect(wire, "formbricks/fb1", secret=secret)

    assert reply.status_code == 422
    assert "hunter2" not in reply.text


def test_a_signed_webhook_of_formbricks_is_taken_once(wire: Wire) -> None:
    connect(wire, "formbricks/fb1", secret=SECRET)
    body = json.dumps({"webhookId": "w", "event": "responseFinished", "data": a_formbricks_response()}).encode()

    first, again = hook(wire, body, signed(body)), hook(wire, body, signed(body))

    assert statuses(first) == ["accepted"]
    assert statuses(again) == ["duplicate"]


def test_a_webhook_for_another_event_is_answered_and_changes_nothing(wire: Wire) -> None:
    connect(wire, "formbricks/fb1", secret=SECRET)
    body = json.dumps({"webhookId": "w", "event": "testEndpoint"}).encode()

    reply = hook(wire, body, signed(body))

    assert (reply.status_code, statuses(reply)) == (200, [])


BODY = json.dumps({"event": "responseFinished", "data": a_formbricks_response()}).encode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(BODY, {}, id="not signed"),
        pytest.param(BODY, signed(BODY, secret="whsec_" + "QUFB" * 10), id="signed with another secret"),
        pytest.param(BODY + b" ", signed(BODY), id="changed on the way"),
        pytest.param(BODY, signed(BODY, age=timedelta(minutes=6)), id="older than five minutes"),
        pytest.param(BODY, signed(BODY, age=timedelta(minutes=-6)), id="from the future"),
        pytest.param(BODY, signed(BODY) | {"webhook-timestamp": "²"}, id="a moment that is no number"),
    ],
)
def test_a_webhook_that_is_not_rightly_signed_is_refused(wire: Wire, body: bytes, headers: dict[str, str]) -> None:
    connect(wire, "formbricks/fb1", secret=SECRET)

    assert hook(wire, body, headers).status_code == 401


def test_a_survey_that_nobody_connected_looks_like_a_wrong_signature(wire: Wire) -> None:
    assert hook(wire, BODY, signed(BODY)).status_code == 401


def test_a_posthog_sdk_can_be_pointed_here(wire: Wire) -> None:
    connect(wire, "posthog/ph1")
    body = {"api_key": wire.public, "batch": [a_posthog_event(), {"event": "$pageview"}, a_posthog_event(
        "018f-2", properties={"$survey_id": "unknown"})]}  # fmt: skip

    reply = wire.client.post("/batch/", json=body)

    assert reply.json is not None
    assert (reply.json["accepted"], reply.json["skipped"]) == (1, 2)


def test_a_posthog_body_without_a_key_of_ours_is_refused(wire: Wire) -> None:
    assert wire.client.post("/batch", json={"api_key": "phc_x", "batch": []}).status_code == 401


def test_a_list_of_imports_tells_no_secret(wire: Wire) -> None:
    connect(wire, "formbricks/fb1", secret=SECRET)

    told = wire.get("/v1/imports", **_secret(wire)).text

    assert '"has_secret":true' in told.replace(" ", "")
    assert SECRET.removeprefix("whsec_") not in told


def test_a_mapping_that_is_sent_again_keeps_its_secret(wire: Wire, settings: Settings) -> None:
    connect(wire, "formbricks/fb1", secret=SECRET)
    connect(wire, "formbricks/fb1")

    assert hook(wire, BODY, signed(BODY)).status_code == 200


def test_a_public_key_cannot_connect_or_import(wire: Wire) -> None:
    public = {"Authorization": f"Bearer {wire.public}"}

    assert wire.client.put("/v1/imports/zigpoll/z1", json=a_mapping(), headers=public).status_code == 403
    assert wire.client.post("/v1/imports/zigpoll/z1", json=[], headers=public).status_code == 403
