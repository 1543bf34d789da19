"""The webhook of the pretended Jira."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.faults import Faults
from sandbox.jira import JiraWorld
from sandbox.jira_webhook import JiraWebhook
from tests.builders import ManualClock
from tests.integrations.wire import a_jira
from tests.sandbox.jira_client import DOCUMENT


@pytest.fixture
def jira(clock: ManualClock) -> JiraWorld:
    return a_jira(clock)


def test_a_webhook_is_signed_and_keeps_its_identifier_when_sent_again(jira: JiraWorld, clock: ManualClock) -> None:
    taken: list[tuple[Mapping[str, str], bytes]] = []

    def deliver(url: str, headers: Mapping[str, str], body: bytes) -> int:
        taken.append((headers, body))
        if len(taken) == 1:
            raise ConnectionError
        return 503 if len(taken) == 2 else 204

    webhook = JiraWebhook("http://muster.test/jira", "secret", clock, deliver=deliver)
    body = b'{"webhookEvent": "jira:issue_updated"}'

    assert webhook.send("id-1", body)
    assert len(taken) == 3
    headers = [headers for headers, _ in taken]
    assert {each["X-Atlassian-Webhook-Identifier"] for each in headers} == {"id-1"}
    expected = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert headers[0]["X-Hub-Signature"] == f"sha256={expected}"


def test_a_webhook_that_nobody_takes_is_given_up(clock: ManualClock) -> None:
    webhook = JiraWebhook("http://muster.test/jira", "secret", clock, deliver=lambda *_: 500)

    assert not webhook.send("id-1", b"{}")


def test_every_change_of_an_issue_is_told(clock: ManualClock) -> None:
    told: list[dict[str, Any]] = []
    arrived = threading.Event()

    def deliver(_url: str, _headers: Mapping[str, str], body: bytes) -> int:
        told.append(json.loads(body))
        if len(told) == 3:
            arrived.set()
        return 204

    webhook = JiraWebhook("http://muster.test/jira", "secret", clock, deliver=deliver)
    jira = JiraWorld(Faults(), clock, hook=webhook)
    issue = jira.create({"summary": "x", "issuetype": {"name": "Bug"}}, {})
    jira.comment(issue, DOCUMENT)
    jira.move(issue, jira.transitions(issue)[-1])

    assert arrived.wait(5)
    assert {each["webhookEvent"] for each in told} == {"jira:issue_created", "comment_created", "jira:issue_updated"}
    moved = next(each for each in told if each["webhookEvent"] == "jira:issue_updated")
    assert {"field": "resolution", "fromString": None, "toString": "Won't Do"} in moved["changelog"]["items"]
