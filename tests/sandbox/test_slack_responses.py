"""Response URLs: five answers, to one person or to all, or instead of the message."""

from __future__ import annotations

from typing import Any

import requests
from slack_sdk import WebClient

from sandbox.world import World
from tests.sandbox.apps import BoltApp
from tests.sandbox.kit import button


def test_a_response_url_answers_five_times_in_the_way_it_is_asked(world: World, app: BoltApp) -> None:
    urls: list[str] = []

    @app.bolt.command("/muster")
    def run(ack: Any, command: dict[str, str]) -> None:
        ack()
        urls.append(command["response_url"])

    world.people.say("U0DANA", "C0GENERAL", "/muster help")
    wrong = requests.post(urls[0], json={"text": "x", "blocks": [{"type": "hologram"}]}, timeout=5)
    requests.post(urls[0], json={"text": "to you"}, timeout=5)
    requests.post(urls[0], json={"text": "to all", "response_type": "in_channel"}, timeout=5)
    statuses = [requests.post(urls[0], json={"text": "more"}, timeout=5).status_code for _ in range(3)]

    assert wrong.json()["error"] == "invalid_blocks"
    assert statuses == [200, 200, 404]
    shown = [(message.text, message.ephemeral_to) for message in world.slack.workspace.messages()]
    assert shown == [("to you", "U0DANA"), ("to all", None), ("more", "U0DANA"), ("more", "U0DANA")]


def test_a_response_url_deletes_the_message_it_came_from(world: World, client: WebClient, app: BoltApp) -> None:
    ts = client.chat_postMessage(
        channel="C0GENERAL", text="card", blocks=[{"type": "actions", "elements": [button("away")]}]
    )["ts"]

    @app.bolt.action("away")
    def away(ack: Any, respond: Any) -> None:
        ack()
        respond(delete_original=True)

    world.people.click("U0MIA", channel="C0GENERAL", ts=ts, action_id="away")

    assert world.slack.workspace.messages() == ()


def test_a_response_url_is_silent_while_slack_is_down_and_unknown_ones_are_refused(world: World, app: BoltApp) -> None:
    url = world.slack.response_url(user="U0DANA", channel="C0GENERAL")

    world.faults.set(slack_down=True)
    down = requests.post(url, json={"text": "x"}, timeout=5).status_code
    world.faults.set(slack_down=False)

    assert down == 503
    assert requests.post(url, data=b"{", timeout=5).status_code == 400
    assert requests.post(f"{url}x", json={"text": "x"}, timeout=5).json() == {"ok": False, "error": "invalid_url"}
    assert requests.post(url, json={"text": "x"}, timeout=5).status_code == 200
