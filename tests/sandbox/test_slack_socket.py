"""Bolt's own Socket Mode handler on the pretended line."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from sandbox.server import Server
from sandbox.slack.service import Credentials
from sandbox.world import World
from tests.sandbox.apps import a_world, bolt
from tests.sandbox.kit import field, modal


@pytest.fixture
def world() -> World:
    return a_world(mode="socket")


@pytest.fixture
def handler(world: World, client: WebClient) -> Iterator[SocketModeHandler]:
    handler = SocketModeHandler(bolt(client), Credentials().app_token, web_client=client, ping_interval=0.5)
    handler.connect()  # type: ignore[no-untyped-call]
    assert world.slack.sockets.wait_for(1)
    yield handler
    handler.client.auto_reconnect_enabled = False
    world.slack.sockets.close()
    with contextlib.suppress(AttributeError):  # slack_sdk's own thread may have let go of the socket a moment before
        handler.close()  # type: ignore[no-untyped-call]


def test_a_command_comes_through_the_line_and_is_answered_there(world: World, handler: SocketModeHandler) -> None:
    @handler.app.command("/muster")
    def run(ack: Any, command: dict[str, str]) -> None:
        ack(f"you said {command['text']}")

    outcome = world.people.say("U0DANA", "C0RELEASES", "/muster help")

    assert outcome.ok
    assert world.slack.workspace.messages()[-1].text == "you said help"
    assert world.state()["delivery"] == "socket"


def test_a_modal_is_answered_through_the_line(world: World, client: WebClient, handler: SocketModeHandler) -> None:
    @handler.app.view("start")
    def submit(ack: Any) -> None:
        ack(response_action="errors", errors={"reason": "Say more."})

    view = modal(field({"type": "plain_text_input", "action_id": "text"}, block_id="reason"), callback_id="start")
    client.views_open(trigger_id=world.slack.trigger_ids.issue("U0DANA"), view=view)
    window = world.slack.windows.stack("U0DANA")[-1]

    outcome = world.people.submit("U0DANA", window.id, {"reason": {"text": "x"}})

    assert outcome.body == {"response_action": "errors", "errors": {"reason": "Say more."}}


def test_events_come_through_the_line_and_retries_say_so(world: World, handler: SocketModeHandler) -> None:
    seen: list[Any] = []

    @handler.app.event("message")
    def hear(request: Any) -> None:
        seen.append(request.headers.get("x-slack-retry-num"))

    world.faults.set(slack_retry=True)
    assert world.people.say("U0DANA", "D0DANA", "status kws").ok

    assert seen == [["0"], ["1"], ["2"]]


def test_an_app_that_says_nothing_times_out() -> None:
    world = a_world(mode="socket", ack_s=0.05)
    url = world.slack.sockets.open_line()
    assert url
    with connect(url) as line:
        assert '"hello"' in str(line.recv())
        outcome = world.people.say("U0DANA", "C0GENERAL", "/muster help")
    world.close()

    assert (outcome.ok, outcome.body) == (False, "operation_timeout")


def test_without_a_line_nothing_can_be_delivered(world: World) -> None:
    assert world.people.say("U0DANA", "C0GENERAL", "/muster help").body == "dispatch_failed"


def test_a_refresh_makes_the_app_come_back_on_a_new_line(world: World, handler: SocketModeHandler) -> None:
    @handler.app.command("/muster")
    def run(ack: Any) -> None:
        ack("here again")

    before = handler.client.session_id()
    world.slack.sockets.refresh()
    assert world.slack.sockets.wait_for(1, opened=2)

    assert world.people.say("U0DANA", "C0GENERAL", "/muster help").ok
    assert handler.client.session_id() != before


@pytest.fixture
def lines(world: World) -> Iterator[Callable[[int], list[ClientConnection]]]:
    """Opens as many lines as asked, each past its hello, and hangs up in the end."""
    with contextlib.ExitStack() as stack:

        def open_lines(count: int) -> list[ClientConnection]:
            opened = [stack.enter_context(connect(str(world.slack.sockets.open_line()))) for _ in range(count)]
            assert all('"hello"' in str(line.recv(timeout=5)) for line in opened)
            return opened

        yield open_lines
        world.close()


def test_lines_take_turns(world: World, lines: Callable[[int], list[ClientConnection]]) -> None:
    counts = [0, 0, 0]

    def answer(place: int, line: ClientConnection) -> None:
        for frame in line:
            counts[place] += 1
            line.send(json.dumps({"envelope_id": json.loads(frame)["envelope_id"]}))

    threads = [threading.Thread(target=answer, args=(place, line)) for place, line in enumerate(lines(3))]
    for thread in threads:
        thread.start()
    assert all(world.people.say("U0DANA", "C0GENERAL", "/muster help").ok for _ in range(6))
    world.close()
    for thread in threads:
        thread.join(5)

    assert counts == [2, 2, 2]


def test_a_ticket_opens_one_line_only(world: World) -> None:
    url = str(world.slack.sockets.open_line())

    with connect(url) as first:
        first.recv(timeout=5)
        with connect(url) as second, pytest.raises(ConnectionClosed):
            second.recv(timeout=5)
    world.close()


def test_ten_lines_are_the_most(world: World, lines: Callable[[int], list[ClientConnection]]) -> None:
    lines(10)

    assert world.slack.sockets.open_line() is None


def test_only_the_apps_own_token_opens_a_line(server: Server, client: WebClient) -> None:
    answer = client.apps_connections_open(app_token=Credentials().app_token)

    assert answer["url"].startswith("ws://127.0.0.1:")
    with pytest.raises(Exception, match="not_allowed_token_type"):
        client.apps_connections_open(app_token=Credentials().bot_token)
