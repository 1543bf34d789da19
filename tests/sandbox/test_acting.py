"""People act by name, through the sandbox's own door."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from slack_sdk import WebClient

from core.errors import NotFoundError
from sandbox import acting
from sandbox.acting import Stage
from sandbox.server import Server
from sandbox.world import World
from tests.sandbox.apps import T0, BoltApp
from tests.sandbox.kit import button, data_table, plain, section


@pytest.fixture
def stage(server: Server) -> Stage:
    return Stage(server.url)


def test_somebody_types_in_a_channel(stage: Stage) -> None:
    assert stage.say("Dana", "#general", "good morning")["ok"]

    message = stage.state()["messages"][-1]
    assert (message["user"], message["channel"], message["text"]) == ("U0DANA", "C0GENERAL", "good morning")


@pytest.mark.parametrize(("who", "place"), [("Zoe", "#general"), ("Dana", "#nowhere")])
def test_whoever_or_whatever_is_not_there_is_named(stage: Stage, who: str, place: str) -> None:
    with pytest.raises(NotFoundError, match="there "):
        stage.say(who, place, "hello")


def test_the_newest_button_of_a_name_is_pressed(stage: Stage, client: WebClient, app: BoltApp) -> None:
    for value in ("old", "new"):
        client.chat_postMessage(
            channel="C0GENERAL",
            text="choose",
            blocks=[{"type": "actions", "elements": [button("go", value=value, text=plain("Approve R1"))]}],
        )

    answer = stage.click("Mia", "#general", "approve")

    assert answer is not None
    payload = json.loads(parse_qs(app.heard[-1][1].decode())["payload"][0])
    assert payload["actions"][0]["value"] == "new"
    assert payload["user"]["id"] == "U0MIA"
    assert stage.click("Mia", "#general", "Reject") is None


def test_what_only_one_person_sees_has_no_button_for_another(stage: Stage, client: WebClient) -> None:
    blocks = [{"type": "actions", "elements": [button("go")]}]
    client.chat_postEphemeral(channel="C0GENERAL", user="U0MIA", text="psst", blocks=blocks)

    assert stage.click("Dana", "#general", "Go") is None


def test_direct_messages_are_those_of_whoever_acts(stage: Stage) -> None:
    assert acting.channel(stage.state(), "@muster", "U0PAM") == "D0PAM"


def test_time_and_switches_are_turned(stage: Stage, world: World) -> None:
    assert stage.advance(timedelta(hours=2)) >= T0 + timedelta(hours=2)
    stage.switch({"jira_down": True})

    assert world.faults.on("jira_down")


def test_a_message_is_read_with_its_tables(stage: Stage, client: WebClient) -> None:
    client.chat_postMessage(channel="C0GENERAL", text="fallback", blocks=[section("*kws*"), data_table(2)])

    message = stage.state()["messages"][-1]
    assert acting.lines(message) == ["*kws*", "0.0  0.1", "1.0  1.1"]
    assert "fallback" in acting.words(message)
    assert "1.1" in acting.words(message)


def test_people_and_channels_are_spelled_by_their_names() -> None:
    state = {"users": [{"id": "U0MIA", "name": "Mia"}], "channels": [{"id": "C0RELEASES", "name": "model-releases"}]}

    assert acting.spelled(state, "<@U0MIA> in <#C0RELEASES>, not <@U0X>") == "@Mia in #model-releases, not <@U0X>"
