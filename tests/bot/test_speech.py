"""Slack's refusals, outages and limits each mean one thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from bot import speech
from bot.heard import Heard
from bot.views import blocks
from bot.views.blocks import Message
from core.errors import UpstreamError

CHART = blocks.bar_chart("CSAT", ["a", "b"], {"now": [1.0, 2.0]})
TABLE = blocks.table(["a"], [["1"]], caption="t")
REPORT = Message(text="report", blocks=(blocks.section("hi"), CHART or {}, TABLE))


class Slack(WebClient):
    """Answers as told and keeps what it was sent."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], str | tuple[int, dict[str, str]]]) -> None:
        super().__init__(token="xoxb-test")
        self.answer = answer
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def api_call(self, api_method: str, **arguments: Any) -> SlackResponse:
        body = arguments.get("json") or arguments.get("params") or {}
        self.sent.append((api_method, body))
        answered = self.answer(api_method, body)
        status, headers, error = (*answered, "ratelimited") if isinstance(answered, tuple) else (200, {}, answered)
        data: dict[str, Any] = {"ok": False, "error": error} if error else {"ok": True, "ts": "1.0"}
        reply = SlackResponse(
            client=self, http_verb="POST", api_url=api_method, req_args={}, data=data, headers=headers,
            status_code=status,
        )  # fmt: skip
        if error:
            raise SlackApiError(error, reply)  # type: ignore[no-untyped-call]
        return reply


def kinds(body: dict[str, Any]) -> list[str]:
    return [block["type"] for block in body["blocks"]]


def test_a_workspace_without_charts_gets_the_table() -> None:
    slack = Slack(lambda _method, body: "invalid_blocks" if "data_visualization" in kinds(body) else "")

    assert speech.post(slack, "C1", REPORT) == "1.0"
    assert kinds(slack.sent[-1][1]) == ["section", "table"]


def test_a_workspace_without_tables_gets_text() -> None:
    slack = Slack(lambda _method, body: "invalid_blocks" if {"data_table", "table"} & set(kinds(body)) else "")

    speech.post(slack, "C1", REPORT)

    assert kinds(slack.sent[-1][1]) == ["section", "section"]


def test_a_workspace_that_takes_no_blocks_at_all_gets_words() -> None:
    slack = Slack(lambda _method, body: "invalid_blocks" if body["blocks"] else "")

    speech.post(slack, "C1", REPORT)

    assert "hi" in slack.sent[-1][1]["text"]


def test_a_slack_that_refuses_even_words_is_given_up_on() -> None:
    with pytest.raises(UpstreamError) as error:
        speech.post(Slack(lambda *_: "invalid_blocks"), "C1", REPORT)

    assert error.value.permanent


def test_too_many_requests_pass_and_say_when() -> None:
    with pytest.raises(UpstreamError) as error:
        speech.post(Slack(lambda *_: (429, {"Retry-After": "17"})), "C1", REPORT)

    assert (error.value.permanent, error.value.retry_after_s) == (False, 17.0)


@pytest.mark.parametrize("reason", ["invalid_auth", "missing_scope", "account_inactive"])
def test_what_only_a_person_can_mend_is_permanent(reason: str) -> None:
    with pytest.raises(UpstreamError) as error:
        speech.post(Slack(lambda *_: reason), "C1", REPORT)

    assert error.value.permanent
    assert reason in error.value.message


def test_a_deleted_message_is_gone_and_not_an_outage() -> None:
    with pytest.raises(speech.GoneError):
        speech.update(Slack(lambda *_: "message_not_found"), "C1", "1.0", REPORT)


def test_an_edit_always_sends_blocks_as_slack_keeps_the_old_ones_otherwise() -> None:
    slack = Slack(lambda *_: "")

    speech.update(slack, "C1", "1.0", Message(text="only words"))

    assert slack.sent[-1][1]["blocks"] == []


def heard(**changes: Any) -> Heard:
    facts: dict[str, Any] = {"key": "k", "kind": "mention", "person": "U1", "name": "u", "line": "", "channel": "C1"}
    return Heard(**(facts | changes))


def test_an_answer_to_a_channel_we_are_not_in_goes_to_the_person() -> None:
    slack = Slack(lambda _method, body: "not_in_channel" if body["channel"] == "C1" else "")

    speech.answer(slack, heard(thread="1.0"), REPORT)

    assert [(method, body["channel"]) for method, body in slack.sent] == [
        ("chat.postMessage", "C1"),
        ("chat.postEphemeral", "C1"),
        ("chat.postMessage", "U1"),
    ]


def test_with_no_way_left_it_is_given_up_on() -> None:
    with pytest.raises(UpstreamError) as error:
        speech.answer(Slack(lambda *_: "channel_not_found"), heard(), REPORT)

    assert error.value.permanent


def test_what_a_card_changed_is_told_in_its_thread_and_not_in_the_channel() -> None:
    slack = Slack(lambda *_: "")
    click = heard(kind="click", message="5.0", response_url="http://127.0.0.1:9/x")

    speech.answer(slack, click, Message(text="R12 is halted.", in_channel=True))

    assert slack.sent[-1][1]["thread_ts"] == "5.0"
