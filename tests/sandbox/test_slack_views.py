"""Modals and homes: opened in time, filled in, checked, answered and closed."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from core.errors import NotFoundError
from sandbox.server import serve
from sandbox.slack.service import Credentials
from sandbox.slack.windows import Window
from sandbox.world import World
from tests.sandbox.apps import BoltApp, Real, a_world
from tests.sandbox.kit import Json, button, field, modal, options, plain, section, select

REASON = field({"type": "plain_text_input", "action_id": "text", "min_length": 3}, block_id="reason")
STAGE = field({**select(3), "action_id": "pick", "initial_option": options(1)[0]}, block_id="stage")


def open_modal(world: World, client: WebClient, view: Json, user: str = "U0DANA") -> Window:
    client.views_open(trigger_id=world.slack.trigger_ids.issue(user), view=view)
    return world.slack.windows.stack(user)[-1]


def test_a_command_opens_a_modal_while_its_trigger_lives(world: World, app: BoltApp) -> None:
    @app.bolt.command("/muster")
    def run(ack: Any, client: WebClient, command: dict[str, str]) -> None:
        ack()
        client.views_open(trigger_id=command["trigger_id"], view=modal(REASON))

    assert world.people.say("U0DANA", "C0GENERAL", "/muster release start").ok
    assert world.state()["views"][0]["user"] == "U0DANA"


def test_a_trigger_id_works_once_and_for_three_seconds() -> None:
    real = Real()
    server = serve(a_world(monotonic=real))
    client = WebClient(token=Credentials().bot_token, base_url=f"{server.url}/api/")
    triggers = server.world.slack.trigger_ids
    used, late = triggers.issue("U0DANA"), triggers.issue("U0DANA")
    client.views_open(trigger_id=used, view=modal())
    real.seconds += 3.1

    errors = []
    for trigger in (used, late, "made.up"):
        with pytest.raises(SlackApiError) as raised:
            client.views_open(trigger_id=trigger, view=modal())
        errors.append(raised.value.response["error"])
    server.close()

    assert errors == ["exchanged_trigger_id", "expired_trigger_id", "invalid_trigger_id"]


def test_an_invalid_modal_does_not_use_up_the_trigger(world: World, client: WebClient) -> None:
    trigger = world.slack.trigger_ids.issue("U0DANA")

    with pytest.raises(SlackApiError, match="must be less than 25 characters"):
        client.views_open(trigger_id=trigger, view=modal(title=plain("x" * 25)))

    assert client.views_open(trigger_id=trigger, view=modal())["ok"]


def test_a_submission_carries_what_was_filled_in_and_what_was_preset(
    world: World, client: WebClient, app: BoltApp
) -> None:
    seen: list[Json] = []

    @app.bolt.view("start")
    def submit(ack: Any, view: Json) -> None:
        ack()
        seen.append(view)

    window = open_modal(world, client, modal(REASON, STAGE, callback_id="start", private_metadata="R12"))
    outcome = world.people.submit("U0DANA", window.id, {"reason": {"text": {"type": "x", "value": "faster"}}})

    assert outcome.ok
    values = seen[0]["state"]["values"]
    assert values["reason"]["text"] == {"type": "plain_text_input", "value": "faster"}
    assert values["stage"]["pick"]["selected_option"]["value"] == "0"
    assert seen[0]["private_metadata"] == "R12"
    assert world.slack.windows.all() == ()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        pytest.param({}, "Please complete this required field.", id="nothing"),
        pytest.param({"reason": {"text": {"value": "no"}}}, "Must be at least 3 characters.", id="too short"),
    ],
)
def test_slack_complains_before_the_app_hears_of_it(
    world: World, client: WebClient, app: BoltApp, given: Json, complaint: str
) -> None:
    window = open_modal(world, client, modal(REASON))

    outcome = world.people.submit("U0DANA", window.id, given)

    assert outcome.body == {"response_action": "errors", "errors": {"reason": complaint}}
    assert app.heard == []
    assert len(world.slack.windows.all()) == 1


def test_an_app_that_finds_errors_keeps_the_modal_open(world: World, client: WebClient, app: BoltApp) -> None:
    @app.bolt.view("start")
    def submit(ack: Any) -> None:
        ack(response_action="errors", errors={"reason": "Say more."})

    window = open_modal(world, client, modal(REASON, callback_id="start"))
    outcome = world.people.submit("U0DANA", window.id, {"reason": {"text": "faster"}})

    assert outcome.ok
    assert outcome.body["errors"] == {"reason": "Say more."}
    assert world.slack.windows.all()[0].id == window.id


def test_errors_must_name_an_input(world: World, client: WebClient, app: BoltApp) -> None:
    @app.bolt.view("start")
    def submit(ack: Any) -> None:
        ack(response_action="errors", errors={"no_such_block": "Say more."})

    window = open_modal(world, client, modal(REASON, callback_id="start"))

    assert not world.people.submit("U0DANA", window.id, {"reason": {"text": "faster"}}).ok


def test_a_submission_can_update_push_or_clear(world: World, client: WebClient, app: BoltApp) -> None:
    answers: list[Json] = [
        {"response_action": "push", "view": modal(section("sure?"), callback_id="start")},
        {"response_action": "update", "view": modal(section("really?"), callback_id="start")},
        {"response_action": "update", "view": modal(title=plain("x" * 25))},
        {"response_action": "clear"},
    ]

    @app.bolt.view("start")
    def submit(ack: Any) -> None:
        ack(**answers.pop(0))

    def top() -> Window:
        return world.slack.windows.stack("U0DANA")[-1]

    open_modal(world, client, modal(callback_id="start"))
    world.people.submit("U0DANA", top().id, {})
    assert [window.previous_id is None for window in world.slack.windows.all()] == [True, False]
    world.people.submit("U0DANA", top().id, {})
    assert top().view["blocks"][0]["text"]["text"] == "really?"
    refused = world.people.submit("U0DANA", top().id, {})
    assert not refused.ok
    assert "must be less than 25 characters" in refused.body
    world.people.submit("U0DANA", top().id, {})

    assert world.slack.windows.all() == ()


def test_a_view_that_changed_since_is_not_overwritten(world: World, client: WebClient) -> None:
    window = open_modal(world, client, modal(external_id="start-1"))
    client.views_update(external_id="start-1", hash=window.hash, view=modal(section("loaded"), external_id="start-1"))

    with pytest.raises(SlackApiError, match="hash_conflict"):
        client.views_update(view_id=window.id, hash=window.hash, view=modal())

    assert world.slack.windows.all()[0].view["blocks"][0]["text"]["text"] == "loaded"


def test_a_closed_view_cannot_be_updated(world: World, client: WebClient) -> None:
    window = open_modal(world, client, modal())
    world.people.close("U0DANA", window.id)

    with pytest.raises(SlackApiError, match="not_found"):
        client.views_update(view_id=window.id, view=modal())


def test_four_modals_cannot_be_piled_up(world: World, client: WebClient) -> None:
    open_modal(world, client, modal())
    for _ in range(2):
        client.views_push(trigger_id=world.slack.trigger_ids.issue("U0DANA"), view=modal())

    with pytest.raises(SlackApiError, match="push_limit_reached"):
        client.views_push(trigger_id=world.slack.trigger_ids.issue("U0DANA"), view=modal())


def test_the_app_hears_of_a_closed_modal_only_when_it_asked(world: World, client: WebClient, app: BoltApp) -> None:
    closed: list[str] = []

    @app.bolt.view_closed("start")
    def close(ack: Any, view: Json) -> None:
        ack()
        closed.append(view["id"])

    silent = open_modal(world, client, modal(callback_id="start"))
    world.people.close("U0DANA", silent.id)
    loud = open_modal(world, client, modal(callback_id="start", notify_on_close=True))
    world.people.close("U0DANA", loud.id)

    assert closed == [loud.id]


def test_a_modal_belongs_to_one_person(world: World, client: WebClient) -> None:
    window = open_modal(world, client, modal())

    with pytest.raises(NotFoundError):
        world.people.submit("U0MIA", window.id, {})


def test_a_home_is_published_when_it_is_opened_and_its_buttons_work(world: World, app: BoltApp) -> None:
    clicked: list[str] = []

    @app.bolt.event("app_home_opened")
    def opened(event: Json, client: WebClient) -> None:
        blocks = [section(f"Hello {event['user']}"), {"type": "actions", "elements": [button("go", value="R12")]}]
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    @app.bolt.action("go")
    def go(ack: Any, action: Json, body: Json) -> None:
        ack()
        clicked.append(f"{action['value']} {body['view']['type']}")

    world.people.open_home("U0MIA")
    world.people.open_home("U0MIA")
    home = world.slack.windows.homes()["U0MIA"]
    world.people.click("U0MIA", view_id=home.id, action_id="go")

    assert clicked == ["R12 home"]
    assert list(world.state()["homes"]) == ["U0MIA"]
