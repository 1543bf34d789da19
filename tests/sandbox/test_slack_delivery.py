"""What people do reaches a real Bolt app, signed and in time."""

from __future__ import annotations

from typing import Any

from slack_sdk import WebClient

from sandbox.server import Server
from sandbox.world import World
from tests.sandbox.apps import BoltApp


def test_a_slash_command_reaches_bolt_and_its_answer_shows_to_the_asker_only(world: World, app: BoltApp) -> None:
    @app.bolt.command("/muster")
    def run(ack: Any, command: dict[str, str]) -> None:
        ack(f"you said {command['text']}")

    outcome = world.people.say("U0DANA", "C0RELEASES", "/muster help release")

    assert outcome.ok
    assert outcome.status == 200
    (message,) = world.slack.workspace.messages()
    assert (message.text, message.ephemeral_to) == ("you said help release", "U0DANA")
