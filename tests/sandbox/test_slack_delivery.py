"""What people do reaches a real Bolt app: signed, in time, and again when it got lost."""

from __future__ import annotations

import json
import threading
import time
from typing import Any
from urllib.parse import parse_qs

import flask
import pytest
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier

from core.errors import InvalidInputError, NotFoundError
from sandbox.server import Server, serve
from sandbox.slack.service import Credentials
from sandbox.slack.state import SLACKBOT
from sandbox.world import World
from tests.sandbox.apps import BoltApp, HttpApp, a_world
from tests.sandbox.kit import button, section, select

COMMAND = "/muster"


def form_of(body: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def test_a_slash_command_reaches_bolt_and_its_answer_shows_to_the_asker_only(world: World, app: BoltApp) -> None:
    @app.bolt.command(COMMAND)
    def run(ack: Any, command: dict[str, str]) -> None:
        ack(f"you said {command['text']}")

    outcome = world.people.say("U0DANA", "C0RELEASES", "/muster help release")

    assert outcome.ok
    assert outcome.status == 200
    (message,) = world.slack.workspace.messages()
    assert (message.text, message.ephemeral_to) == ("you said help release", "U0DANA")


def test_an_answer_in_the_channel_shows_the_command_too(world: World, app: BoltApp) -> None:
    @app.bolt.command(COMMAND)
    def run(ack: Any) -> None:
        ack(text="started", response_type="in_channel")

    world.people.say("U0DANA", "C0RELEASES", "/muster release start kws@1.4.0")

    shown = [(message.user, message.text, message.ephemeral_to) for message in world.slack.workspace.messages()]
    assert shown == [("U0DANA", "/muster release start kws@1.4.0", None), ("U0MUSTER", "started", None)]


def test_every_delivery_is_signed_with_real_time(world: World, app: BoltApp) -> None:
    world.people.say("U0DANA", "C0RELEASES", "/muster help")

    headers, body = app.heard[0]
    stamp, signature = headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"]
    assert SignatureVerifier(Credentials().signing_secret).is_valid(body, stamp, signature)
    assert abs(int(stamp) - time.time()) < 60
    assert form_of(body)["channel_name"] == "model-releases"


def test_what_is_typed_is_escaped_and_names_become_mentions(world: World, app: BoltApp) -> None:
    world.people.say("U0TOM", "C0GENERAL", '/muster role grant @mia approver where="ram_gb<4 & os>9" <@U0DANA>')

    text = form_of(app.heard[0][1])["text"]
    assert text == 'role grant <@U0MIA> approver where="ram_gb&lt;4 &amp; os&gt;9" <@U0DANA>'


def test_a_command_that_nobody_handles_fails_before_the_person(world: World, app: BoltApp) -> None:
    outcome = world.people.say("U0DANA", "C0GENERAL", "/muster help")

    assert (outcome.ok, outcome.status) == (False, 404)
    (message,) = world.slack.workspace.messages()
    assert (message.user, message.ephemeral_to) == (SLACKBOT, "U0DANA")
    assert message.text == '/muster failed with the error "dispatch_failed"'


def test_a_command_to_an_app_that_is_not_there_fails_before_the_person(world: World) -> None:
    outcome = world.people.say("U0DANA", "C0GENERAL", "/muster help")

    assert (outcome.ok, outcome.body) == (False, "dispatch_failed")
    assert "dispatch_failed" in world.slack.workspace.messages()[0].text


def test_a_late_acknowledgement_is_an_operation_timeout() -> None:
    released = threading.Event()
    web = flask.Flask("late")
    web.add_url_rule("/", "late", lambda: f"{released.wait(10)}", methods=["POST"])
    app = HttpApp(web)
    world = a_world(ack_s=0.1, request_url=app.root)

    outcome = world.people.say("U0DANA", "C0GENERAL", "/muster help")
    released.set()
    world.close()
    app.close()

    assert (outcome.ok, outcome.body) == (False, "operation_timeout")
    assert world.slack.workspace.messages()[0].text == '/muster failed with the error "operation_timeout"'


def test_commands_that_slack_itself_refuses_never_reach_the_app(world: World, app: BoltApp) -> None:
    world.people.say("U0DANA", "C0GENERAL", "/mustard help")
    world.people.say("U0DANA", "C0GENERAL", "/muster help", thread_ts="1.000001")

    assert app.heard == []
    told = [message.text for message in world.slack.workspace.messages()]
    assert told == ["`/mustard` is not a valid command.", "/muster is not supported in threads. Sorry!"]


def test_a_mention_and_a_direct_message_are_events_and_talk_among_people_is_not(world: World, app: BoltApp) -> None:
    seen: list[tuple[str, str]] = []
    app.bolt.event("app_mention")(lambda event: seen.append(("app_mention", event["text"])))
    app.bolt.event("message")(lambda event: seen.append((event["channel_type"], event["text"])))

    assert world.people.say("U0DANA", "C0GENERAL", "lunch?").ok
    world.people.say("U0DANA", "C0GENERAL", "@Muster status kws")
    world.people.say("U0DANA", "D0DANA", "status kws")

    assert seen == [("app_mention", "<@U0MUSTER> status kws"), ("im", "status kws")]
    assert len(app.heard) == 2


def test_a_lost_event_is_brought_three_more_times(world: World) -> None:
    tries: list[tuple[str | None, str | None, str]] = []
    web = flask.Flask("failing")

    @web.post("/")
    def fail() -> tuple[str, int]:
        headers, event_id = flask.request.headers, flask.request.get_json()["event_id"]
        tries.append((headers.get("X-Slack-Retry-Num"), headers.get("X-Slack-Retry-Reason"), event_id))
        return "", 500

    app = HttpApp(web)
    world.slack.request_url = app.root
    outcome = world.people.say("U0DANA", "D0DANA", "status kws")
    world.slack.courier.settle()
    app.close()

    assert not outcome.ok
    assert [number for number, _, _ in tries] == [None, "1", "2", "3"]
    assert {reason for _, reason, _ in tries[1:]} == {"http_error"}
    assert len({event_id for _, _, event_id in tries}) == 1


def test_an_event_is_not_brought_again_once_it_was_taken(world: World) -> None:
    answers = [500, 200]
    web = flask.Flask("recovering")
    web.add_url_rule("/", "take", lambda: ("", answers.pop(0)), methods=["POST"])
    app = HttpApp(web)
    world.slack.request_url = app.root

    world.people.say("U0DANA", "D0DANA", "status kws")
    world.slack.courier.settle()
    app.close()

    assert answers == []


def test_the_fault_retry_brings_the_same_thing_three_times(world: World, app: BoltApp) -> None:
    @app.bolt.command(COMMAND)
    def run(ack: Any) -> None:
        ack()

    world.faults.set(slack_retry=True)
    world.people.say("U0DANA", "C0GENERAL", "/muster help")

    assert len({body for _, body in app.heard}) == 1
    assert [headers.get("X-Slack-Retry-Num") for headers, _ in app.heard] == [None, "1", "2"]


def test_a_click_carries_the_button_the_message_and_a_way_to_answer(
    world: World, client: WebClient, app: BoltApp
) -> None:
    blocks = [{"type": "actions", "elements": [button("release:approve", value="R12"), select(3)]}]
    ts = client.chat_postMessage(channel="C0RELEASES", text="card", blocks=blocks)["ts"]
    seen: list[dict[str, Any]] = []

    @app.bolt.action({"action_id": "release:approve"})
    def approve(ack: Any, body: dict[str, Any]) -> None:
        ack()
        seen.append(body)

    assert world.people.click("U0MIA", channel="C0RELEASES", ts=ts, action_id="release:approve").ok

    (body,) = seen
    assert body["actions"][0]["value"] == "R12"
    assert body["message"]["ts"] == ts
    assert body["response_url"].startswith(world.slack.base_url)
    assert body["user"]["id"] == "U0MIA"


def test_picking_from_a_menu_carries_the_whole_option(world: World, client: WebClient, app: BoltApp) -> None:
    ts = client.chat_postMessage(channel="C0RELEASES", text="card", blocks=[section(accessory=select(3))])["ts"]

    world.people.click("U0MIA", channel="C0RELEASES", ts=ts, action_id="s", selected="2")

    payload = json.loads(form_of(app.heard[0][1])["payload"])
    assert payload["actions"][0]["selected_option"]["text"]["text"] == "Choice 2"


def test_a_click_on_an_ephemeral_message_brings_no_message_but_can_replace_it(
    world: World, client: WebClient, app: BoltApp
) -> None:
    blocks = [{"type": "actions", "elements": [button("share", value="x")]}]
    ts = client.chat_postEphemeral(channel="C0GENERAL", user="U0DANA", text="report", blocks=blocks)["message_ts"]

    @app.bolt.action("share")
    def share(ack: Any, body: dict[str, Any], respond: Any) -> None:
        ack()
        assert "message" not in body
        assert body["container"]["is_ephemeral"]
        respond(text="shared", replace_original=True)

    world.people.click("U0DANA", channel="C0GENERAL", ts=ts, action_id="share")

    (message,) = world.slack.workspace.messages()
    assert (message.text, message.blocks, message.ts) == ("shared", (), ts)


def test_nobody_clicks_what_is_not_there_or_not_theirs(world: World, client: WebClient) -> None:
    blocks = [{"type": "actions", "elements": [button("share")]}]
    ts = client.chat_postEphemeral(channel="C0GENERAL", user="U0DANA", text="report", blocks=blocks)["message_ts"]

    with pytest.raises(NotFoundError):
        world.people.click("U0MIA", channel="C0GENERAL", ts=ts, action_id="share")
    with pytest.raises(NotFoundError):
        world.people.click("U0DANA", channel="C0GENERAL", ts=ts, action_id="burn")
    with pytest.raises(NotFoundError):
        world.people.say("U0NOBODY", "C0GENERAL", "hello")
    with pytest.raises(InvalidInputError):
        world.people.say("U0MIA", "D0DANA", "hello")


def test_a_shortcut_brings_the_message_it_was_used_on(world: World, app: BoltApp) -> None:
    seen: list[str] = []

    @app.bolt.shortcut("make_regression")
    def make(ack: Any, shortcut: dict[str, Any]) -> None:
        ack()
        seen.append(shortcut["message"]["text"])

    world.people.say("U0PAM", "C0FEEDBACK", "it never hears me")
    ts = world.slack.workspace.messages()[0].ts

    assert world.people.shortcut("U0PAM", "make_regression", "C0FEEDBACK", ts).ok
    assert seen == ["it never hears me"]


def test_a_click_that_the_app_drops_is_told_to_the_person(world: World, client: WebClient, app: BoltApp) -> None:
    blocks = [{"type": "actions", "elements": [button("nobody-listens")]}]
    ts = client.chat_postMessage(channel="C0GENERAL", text="card", blocks=blocks)["ts"]

    outcome = world.people.click("U0MIA", channel="C0GENERAL", ts=ts, action_id="nobody-listens")

    assert not outcome.ok
    assert world.slack.workspace.messages()[-1].ephemeral_to == "U0MIA"


def test_nothing_is_delivered_once_the_world_is_closed(server: Server) -> None:
    other = serve(a_world(retry_after_s=(60.0,), request_url="http://127.0.0.1:9/"))
    other.world.people.say("U0DANA", "D0DANA", "hello")

    began = time.monotonic()
    other.close()

    assert time.monotonic() - began < 5
