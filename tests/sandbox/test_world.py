"""The whole world at a glance, and its own door by HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from slack_sdk import WebClient

from sandbox.server import Server
from sandbox.world import World
from tests.sandbox.apps import T0, BoltApp
from tests.sandbox.kit import button, section


def post(server: Server, path: str, **body: object) -> requests.Response:
    return requests.post(f"{server.url}/sandbox/{path}", json=body, timeout=10)


@pytest.fixture
def events(server: Server) -> Iterator[Iterator[dict[str, int]]]:
    reply = requests.get(f"{server.url}/sandbox/events", stream=True, timeout=10)
    lines = reply.iter_lines(chunk_size=1)
    yield (json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: "))
    reply.close()


def test_the_state_shows_the_workspace_as_it_begins(world: World) -> None:
    state = world.state()

    assert {user["id"] for user in state["users"]} == {"U0DANA", "U0MIA", "U0TOM", "U0PAM", "U0MUSTER"}
    assert {"id": "C0RELEASES", "name": "model-releases", "kind": "channel"} in state["channels"]
    assert {"id": "D0DANA", "name": "Dana", "kind": "im"} in state["channels"]
    assert state["clock"] == T0.isoformat()
    assert (state["messages"], state["views"], state["homes"], state["jira"], state["story"]) == ([], [], {}, [], [])
    assert state["counts"] == {"posted": 0, "updated": 0, "rejected": 0}
    json.dumps(state)


def test_a_message_in_the_state_has_everything_the_page_draws(world: World, client: WebClient) -> None:
    root = client.chat_postMessage(channel="C0GENERAL", text="root", blocks=[section()])["ts"]
    client.chat_postEphemeral(channel="C0GENERAL", user="U0MIA", text="psst", thread_ts=root)

    first, second = world.state()["messages"]

    assert (first["ts"], first["thread_ts"], first["edited"]) == (root, None, False)
    assert (second["thread_ts"], second["ephemeral_to"], second["user"]) == (root, "U0MIA", "U0MUSTER")


def test_every_change_has_a_number(world: World, client: WebClient) -> None:
    before = world.state()["seq"]

    client.chat_postMessage(channel="C0GENERAL", text="hello")
    after_post = world.state()["seq"]
    world.tell(1, 6, "Answers arrive", "1 500 phones answer.")

    assert before < after_post < world.state()["seq"]
    assert world.state()["story"] == [{"step": 1, "of": 6, "title": "Answers arrive", "text": "1 500 phones answer."}]


def test_listeners_hear_of_each_change(world: World, server: Server, events: Iterator[dict[str, int]]) -> None:
    first = next(events)["seq"]

    world.faults.set(jira_down=True)

    assert next(events)["seq"] > first


def test_the_door_answers_a_command_and_a_click(world: World, server: Server, client: WebClient, app: BoltApp) -> None:
    app.bolt.command("/muster")(lambda ack: ack("hello"))
    app.bolt.action("go")(lambda ack: ack())
    blocks = [{"type": "actions", "block_id": "b", "elements": [button("go", value="R12")]}]
    ts = client.chat_postMessage(channel="C0GENERAL", text="card", blocks=blocks)["ts"]

    said = post(server, "say", user="U0DANA", channel="C0GENERAL", text="/muster help").json()
    clicked = post(
        server, "click", user="U0MIA", channel="C0GENERAL", ts=ts, block_id="b", action_id="go", value="R12"
    ).json()

    assert (said["ok"], said["status"], said["body"]) == (True, 200, "hello")
    assert said["ack_ms"] > 0
    assert clicked["ok"]


def test_the_door_turns_faults_and_the_clock(world: World, server: Server) -> None:
    assert post(server, "faults", slack_429=3).json()["faults"]["slack_429"] == 3
    assert post(server, "clock", advance_s=3600, rate=0).json() == {
        "ok": True,
        "clock": (T0 + timedelta(hours=1)).isoformat(),
        "rate": 0.0,
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "where"),
    [
        pytest.param("say", {"user": "U0DANA"}, 422, "channel", id="a missing field"),
        pytest.param("say", {"user": "U0NO", "channel": "C0GENERAL", "text": "x"}, 404, None, id="nobody"),
        pytest.param("click", {"user": "U0MIA", "action_id": "x", "ts": "1"}, 404, None, id="no message"),
        pytest.param("submit", {"user": "U0MIA", "view_id": "V0", "values": [1]}, 422, "values", id="odd values"),
        pytest.param("close", {"user": "U0MIA", "view_id": "V0"}, 404, None, id="no view"),
        pytest.param("faults", {"moon_down": True}, 422, "moon_down", id="no such fault"),
        pytest.param("clock", {"advance_s": -1}, 422, "advance_s", id="backwards"),
        pytest.param("clock", {}, 422, "", id="nothing to turn"),
    ],
)
def test_the_door_says_what_is_wrong(
    server: Server, path: str, body: dict[str, object], status: int, where: str | None
) -> None:
    answer = post(server, path, **body)

    assert answer.status_code == status
    assert not answer.json()["ok"]
    assert [problem["path"] for problem in answer.json()["problems"]] == ([] if where is None else [where])


def test_a_body_that_is_no_json_is_told_so(server: Server) -> None:
    answer = requests.post(f"{server.url}/sandbox/say", data=b"{", timeout=5)

    assert answer.status_code == 422
    assert answer.json()["error"] == "the body must be a JSON object"


def test_a_missing_file_of_the_page_is_404(server: Server) -> None:
    assert requests.get(f"{server.url}/no-such-file.js", timeout=5).status_code == 404
    assert requests.get(f"{server.url}/../pyproject.toml", timeout=5).status_code == 404
