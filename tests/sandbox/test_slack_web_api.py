"""The real slack_sdk talks to the pretended Web API."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.error import URLError

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from sandbox.server import Server, serve
from sandbox.slack.service import Credentials
from sandbox.slack.state import Message
from sandbox.world import World
from tests.sandbox.apps import Real, a_world
from tests.sandbox.kit import mrkdwn, section


def error_of(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(SlackApiError) as raised:
        call(*args, **kwargs)
    return str(raised.value.response["error"])


def test_the_app_learns_who_it_is(client: WebClient) -> None:
    answer = client.auth_test()

    assert answer["user_id"] == "U0MUSTER"
    assert answer["team_id"] == "T0MUSTER"
    assert "chat:write" in answer.headers["x-oauth-scopes"]


@pytest.mark.parametrize(
    ("token", "error"),
    [
        pytest.param("xoxb-made-up", "invalid_auth", id="a made-up token"),
        pytest.param("", "not_authed", id="no token"),
        pytest.param(Credentials().app_token, "not_allowed_token_type", id="the app's token"),
    ],
)
def test_a_wrong_token_is_refused(server: Server, token: str, error: str) -> None:
    client = WebClient(token=token, base_url=f"{server.url}/api/")

    assert error_of(client.chat_postMessage, channel="C0GENERAL", text="hello") == error
    assert server.world.slack.workspace.messages() == ()


def test_a_missing_scope_is_named() -> None:
    server = serve(a_world(credentials=Credentials(scopes=("commands",))))
    client = WebClient(token=Credentials().bot_token, base_url=f"{server.url}/api/")

    with pytest.raises(SlackApiError) as raised:
        client.chat_postMessage(channel="C0GENERAL", text="hello")
    server.close()

    assert raised.value.response["error"] == "missing_scope"
    assert raised.value.response["needed"] == "chat:write"


@pytest.mark.parametrize("channel", ["C0RELEASES", "#model-releases", "model-releases"])
def test_a_message_is_posted_by_id_or_name(world: World, client: WebClient, channel: str) -> None:
    answer = client.chat_postMessage(channel=channel, text="hello", blocks=[section()])

    (message,) = world.slack.workspace.messages("C0RELEASES")
    assert (message.ts, message.text) == (answer["ts"], "hello")
    assert message.blocks[0]["block_id"]
    assert world.slack.workspace.counts == {"posted": 1, "updated": 0, "rejected": 0}


def test_a_message_to_a_person_goes_into_their_direct_messages(world: World, client: WebClient) -> None:
    assert client.conversations_open(users="U0MIA")["channel"]["id"] == "D0MIA"
    assert client.chat_postMessage(channel="U0MIA", text="hello")["channel"] == "D0MIA"


def test_two_messages_of_one_moment_have_two_timestamps(client: WebClient) -> None:
    first, second = (client.chat_postMessage(channel="C0GENERAL", text="hello")["ts"] for _ in range(2))

    assert first < second


def test_invalid_blocks_are_refused_in_slacks_words(world: World, client: WebClient) -> None:
    with pytest.raises(SlackApiError) as raised:
        client.chat_postMessage(channel="C0GENERAL", text="hello", blocks=[section("x" * 3001)])

    assert raised.value.response["error"] == "invalid_blocks"
    assert raised.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]
    assert world.slack.workspace.counts["rejected"] == 1
    assert world.slack.workspace.messages() == ()


def test_messages_that_cannot_be_posted_are_refused(world: World, client: WebClient) -> None:
    world.slack.workspace.add_channel("C0SECRET", "secret", ["U0TOM"])
    world.slack.workspace.add_channel("C0OLD", "old", ["U0MUSTER"], is_archived=True)
    post = client.chat_postMessage

    assert error_of(post, channel="C0NOWHERE", text="hello") == "channel_not_found"
    assert error_of(post, channel="C0SECRET", text="hello") == "not_in_channel"
    assert error_of(post, channel="C0OLD", text="hello") == "is_archived"
    assert error_of(client.api_call, "chat.postMessage", json={"channel": "C0GENERAL"}) == "no_text"
    assert error_of(post, channel="C0GENERAL", text="x" * 40_001) == "msg_too_long"
    assert error_of(post, channel="C0GENERAL", text="hello", thread_ts="1.000001") == "thread_not_found"
    assert error_of(post, channel="C0GENERAL", text="hello", blocks="[{") == "invalid_blocks_format"
    assert error_of(client.api_call, "chat.postMesage") == "unknown_method"


def test_a_channel_can_be_joined(world: World, client: WebClient) -> None:
    world.slack.workspace.add_channel("C0NEW", "new", ["U0TOM"])

    client.conversations_join(channel="C0NEW")

    assert client.chat_postMessage(channel="C0NEW", text="hello")["ok"]
    assert "U0MUSTER" in client.conversations_members(channel="C0NEW")["members"]


def test_an_update_without_blocks_keeps_the_old_ones(world: World, client: WebClient) -> None:
    posted = client.chat_postMessage(channel="C0GENERAL", text="one", blocks=[section("one")])

    client.chat_update(channel="C0GENERAL", ts=posted["ts"], text="two")
    (message,) = world.slack.workspace.messages()

    assert (message.text, message.edited, message.blocks[0]["text"]["text"]) == ("two", True, "one")
    client.chat_update(channel="C0GENERAL", ts=posted["ts"], text="two", blocks=[])
    assert world.slack.workspace.messages()[0].blocks == ()
    assert world.slack.workspace.counts == {"posted": 1, "updated": 2, "rejected": 0}


def test_only_its_own_lasting_messages_can_be_changed_by_the_app(world: World, client: WebClient) -> None:
    theirs = world.slack.workspace.post(Message(channel="C0GENERAL", ts="", user="U0MIA", text="mine"))
    hidden = client.chat_postEphemeral(channel="C0GENERAL", user="U0MIA", text="psst")["message_ts"]

    assert error_of(client.chat_update, channel="C0GENERAL", ts=theirs.ts, text="x") == "cant_update_message"
    assert error_of(client.chat_delete, channel="C0GENERAL", ts=theirs.ts) == "cant_delete_message"
    assert error_of(client.chat_update, channel="C0GENERAL", ts=hidden, text="x") == "message_not_found"
    assert error_of(client.chat_update, channel="C0GENERAL", ts="1.000001", text="x") == "message_not_found"


def test_a_deleted_message_is_gone(world: World, client: WebClient) -> None:
    posted = client.chat_postMessage(channel="C0GENERAL", text="one")

    client.chat_delete(channel="C0GENERAL", ts=posted["ts"])

    assert world.slack.workspace.messages() == ()
    assert error_of(client.chat_getPermalink, channel="C0GENERAL", message_ts=posted["ts"]) == "message_not_found"


def test_a_thread_is_read_without_what_only_one_person_sees(client: WebClient) -> None:
    root = client.chat_postMessage(channel="C0GENERAL", text="root")["ts"]
    client.chat_postMessage(channel="C0GENERAL", text="reply", thread_ts=root)
    client.chat_postEphemeral(channel="C0GENERAL", user="U0MIA", text="psst", thread_ts=root)

    thread = client.conversations_replies(channel="C0GENERAL", ts=root)["messages"]
    history = client.conversations_history(channel="C0GENERAL")["messages"]

    assert [message["text"] for message in thread] == ["root", "reply"]
    assert [message["text"] for message in history] == ["root"]


def test_a_broadcast_reply_is_one_message_that_shows_in_the_channel_too(world: World, client: WebClient) -> None:
    root = client.chat_postMessage(channel="C0GENERAL", text="root")["ts"]

    client.chat_postMessage(channel="C0GENERAL", text="halted", thread_ts=root, reply_broadcast=True)

    history = client.conversations_history(channel="C0GENERAL")["messages"]
    assert [message["text"] for message in history] == ["halted", "root"]
    assert world.slack.workspace.counts["posted"] == 2
    assert [message["broadcast"] for message in world.state()["messages"]] == [False, True]


def test_an_ephemeral_message_needs_somebody_in_the_channel(world: World, client: WebClient) -> None:
    world.slack.workspace.add_channel("C0QUIET", "quiet", ["U0MUSTER"])

    assert error_of(client.chat_postEphemeral, channel="C0QUIET", user="U0MIA", text="x") == "user_not_in_channel"


def test_lists_come_in_pages(client: WebClient) -> None:
    pages = [page["members"] for page in client.users_list(limit=4)]

    assert [len(page) for page in pages] == [4, 2]
    assert client.users_info(user="U0PAM")["user"]["profile"]["title"] == "Product manager"
    assert error_of(client.users_list, cursor="???") == "invalid_cursor"
    names = [channel["name"] for channel in client.conversations_list(types="public_channel")["channels"]]
    assert names == ["model-releases", "app-feedback", "general"]


def test_a_file_is_uploaded_in_three_steps(world: World, client: WebClient, server: Server) -> None:
    answer = client.files_upload_v2(
        channel="C0RELEASES", content="n,score\n118,0.61\n", filename="cohorts.csv", initial_comment="All cohorts"
    )

    (message,) = world.slack.workspace.messages("C0RELEASES")
    assert message.text == "All cohorts"
    assert message.files[0]["name"] == "cohorts.csv"
    assert requests.get(answer["files"][0]["permalink"], timeout=5).text == "n,score\n118,0.61\n"


def test_a_file_that_never_came_is_not_shared(client: WebClient) -> None:
    place = client.files_getUploadURLExternal(filename="a.csv", length=3)

    assert requests.post(place["upload_url"], data=b"four", timeout=5).status_code == 400
    assert error_of(client.files_completeUploadExternal, files=[{"id": place["file_id"]}]) == "file_not_found"


def test_a_reaction_is_added_once(world: World, client: WebClient) -> None:
    ts = client.chat_postMessage(channel="C0GENERAL", text="one")["ts"]

    client.reactions_add(channel="C0GENERAL", name="eyes", timestamp=ts)

    assert world.slack.workspace.messages()[0].reactions == {"eyes": ("U0MUSTER",)}
    assert error_of(client.reactions_add, channel="C0GENERAL", name="eyes", timestamp=ts) == "already_reacted"


def test_blocks_can_be_validated_without_posting(world: World, client: WebClient) -> None:
    assert client.api_call("blocks.validate", json={"blocks": [section()]})["ok"]

    with pytest.raises(SlackApiError) as raised:
        client.api_call("blocks.validate", json={"blocks": [{"type": "section", "text": {**mrkdwn(), "type": "x"}}]})

    assert raised.value.response["errors"] == [
        {"code": "failed_constraint", "message": "unsupported type: x", "pointer": "/blocks/0/text/type"}
    ]
    assert error_of(client.api_call, "blocks.validate", json={}) == "invalid_arguments"
    assert world.slack.workspace.messages() == ()


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        pytest.param(b"{", "application/json", "invalid_json", id="half a body"),
        pytest.param(b"[]", "application/json", "json_not_object", id="a list"),
        pytest.param(b"hello", "text/plain", "invalid_post_type", id="neither form nor JSON"),
    ],
)
def test_a_malformed_body_is_refused(server: Server, body: bytes, kind: str, error: str) -> None:
    headers = {"Authorization": f"Bearer {Credentials().bot_token}", "Content-Type": kind}

    answer = requests.post(f"{server.url}/api/chat.postMessage", data=body, headers=headers, timeout=5)

    assert answer.json() == {"ok": False, "error": error}


def test_a_form_reads_like_json(world: World, server: Server) -> None:
    form = {"token": Credentials().bot_token, "channel": "C0GENERAL", "text": "hi", "blocks": '[{"type": "divider"}]'}

    answer = requests.post(f"{server.url}/api/chat.postMessage", data=form, timeout=5)

    assert answer.json()["ok"]
    assert world.slack.workspace.messages()[0].blocks[0]["type"] == "divider"


def test_the_eleventh_post_into_a_channel_at_once_is_too_fast() -> None:
    real = Real()
    server = serve(a_world(monotonic=real))
    client = WebClient(token=Credentials().bot_token, base_url=f"{server.url}/api/")
    for _ in range(10):
        client.chat_postMessage(channel="C0GENERAL", text="hello")

    with pytest.raises(SlackApiError) as raised:
        client.chat_postMessage(channel="C0GENERAL", text="hello")
    assert client.chat_postMessage(channel="C0RELEASES", text="another channel")["ok"]
    real.seconds += 1
    assert client.chat_postMessage(channel="C0GENERAL", text="a second later")["ok"]
    server.close()

    assert raised.value.response.status_code == 429
    assert raised.value.response.headers["Retry-After"] == "1"


def test_the_fault_429_makes_the_client_wait_and_come_back(world: World, client: WebClient) -> None:
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    world.faults.set(slack_429=1)

    assert client.chat_postMessage(channel="C0GENERAL", text="hello")["ok"]
    assert not world.faults.on("slack_429")
    assert len(world.slack.workspace.messages()) == 1


def test_a_slack_that_is_down_answers_503(world: World, client: WebClient) -> None:
    world.faults.set(slack_down=True)

    with pytest.raises(SlackApiError) as raised:
        client.chat_postMessage(channel="C0GENERAL", text="hello")

    assert raised.value.response.status_code == 503
    assert world.slack.workspace.messages() == ()


def test_a_lost_reply_leaves_the_message_posted(world: World, client: WebClient) -> None:
    world.faults.set(slack_lost=1)

    with pytest.raises((URLError, http.client.HTTPException, ConnectionError)):
        client.chat_postMessage(channel="C0GENERAL", text="hello")

    assert [message.text for message in world.slack.workspace.messages()] == ["hello"]
    assert client.chat_postMessage(channel="C0GENERAL", text="again")["ok"]
