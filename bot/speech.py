"""Saying things in Slack: one place for its errors, its limits and for saying it simpler when refused.

Anything that posts or edits a message goes through here, so that a 429, an outage and invalid_blocks mean one thing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookClient

from bot.heard import Heard
from bot.views.blocks import Message, degrade
from core.errors import UpstreamError

log = logging.getLogger(__name__)

T = TypeVar("T")

SIMPLEST = 3
# Another, simpler form of the message may pass.
REFUSED = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "block_mismatch"}
)
# The way to the person is closed; another may be open.
NO_WAY = frozenset({"not_in_channel", "channel_not_found", "is_archived", "restricted_action", "user_not_in_channel",
                    "cannot_reply_to_message", "thread_not_found", "messages_tab_disabled"})  # fmt: skip
PASSING = frozenset({"ratelimited", "rate_limited", "service_unavailable", "internal_error", "fatal_error",
                     "request_timeout", "team_added_to_org"})  # fmt: skip


class NoWayError(UpstreamError):
    """Slack does not let us speak there."""

    def __init__(self, reason: str) -> None:
        super().__init__("slack", reason, permanent=True)
        self.reason = reason


class GoneError(UpstreamError):
    """The message that should be edited is not there any more: post it anew."""

    def __init__(self) -> None:
        super().__init__("slack", "message_not_found", permanent=True)


class _RefusedError(Exception):
    """Slack takes no such blocks, however it said so."""


def post(
    client: WebClient, channel: str, message: Message, *, thread: str | None = None, broadcast: bool = False
) -> str:
    """Post and return the message's timestamp.

    Raises: NoWayError: not in that channel; UpstreamError: passing for outages and 429."""

    def send(text: str, blocks: list[dict[str, Any]]) -> str:
        reply = client.chat_postMessage(
            channel=channel,
            text=text,
            blocks=blocks,
            thread_ts=thread,
            reply_broadcast=True if thread and broadcast else None,
            unfurl_links=False,
            unfurl_media=False,
        )
        return str(reply["ts"])

    return _simpler_when_refused(message, send)


def update(client: WebClient, channel: str, ts: str, message: Message) -> None:
    """Edit a message of ours. Blocks are always sent: without them Slack keeps the old ones.

    Raises: GoneError: it was deleted; UpstreamError as `post`."""

    def send(text: str, blocks: list[dict[str, Any]]) -> None:
        client.chat_update(channel=channel, ts=ts, text=text, blocks=blocks)

    _simpler_when_refused(message, send)


def whisper(client: WebClient, channel: str, person: str, message: Message, *, thread: str | None = None) -> None:
    """Say it to one person in a channel. Raises: as `post`."""

    def send(text: str, blocks: list[dict[str, Any]]) -> None:
        client.chat_postEphemeral(channel=channel, user=person, text=text, blocks=blocks, thread_ts=thread)

    _simpler_when_refused(message, send)


def publish(client: WebClient, person: str, view: dict[str, Any]) -> None:
    """Show a view in the person's App Home."""

    def send(_text: str, _blocks: list[dict[str, Any]]) -> None:
        client.views_publish(user_id=person, view=view)

    _simpler_when_refused(Message("home"), send)


def unfurl(client: WebClient, said: Heard, previews: Mapping[str, Message]) -> None:
    """Show a preview under links, in a message or while it is being written. Raises: as `post`."""
    told = said.form or {}
    place = (
        {"unfurl_id": told["unfurl_id"], "source": told["source"]}
        if told.get("source") == "composer" and told.get("unfurl_id")
        else {"channel": said.channel, "ts": said.message}
    )

    def send(_text: str, _blocks: list[dict[str, Any]]) -> None:
        shown = {url: {"blocks": list(message.blocks)} for url, message in previews.items()}
        client.chat_unfurl(unfurls=shown, **place)

    _simpler_when_refused(Message("links"), send)


def answer(client: WebClient, said: Heard, message: Message) -> None:
    """Answer where it was asked: through the response_url, in the thread, or to the person."""
    for way in _ways(client, said, message):
        try:
            way()
            return
        except NoWayError as error:
            log.info("answer.another_way", extra={"kind": said.kind, "reason": error.reason})
    raise NoWayError("there is no way left to answer")


def _ways(client: WebClient, said: Heard, message: Message) -> list[Callable[[], object]]:
    """The ways to answer, the right one first."""
    ways: list[Callable[[], object]] = []
    thread = said.thread or (said.message if message.in_channel else None)
    is_public = message.in_channel or said.kind in ("mention", "message")
    if said.response_url and not (message.in_channel and thread):
        ways.append(lambda: _respond(client, said, message))
    if said.channel and is_public:
        ways.append(lambda: post(client, said.channel, message, thread=thread))
    if said.channel:
        ways.append(lambda: whisper(client, said.channel, said.person, message, thread=said.thread))
    ways.append(lambda: post(client, said.person, message))
    return ways


def _respond(client: WebClient, said: Heard, message: Message) -> None:
    """Use the response_url: five posts within thirty minutes, then it is gone."""
    webhook = WebhookClient(said.response_url or "", timeout=client.timeout)

    def send(text: str, blocks: list[dict[str, Any]]) -> None:
        body: dict[str, Any] = {
            "text": text,
            "response_type": "in_channel" if message.in_channel else "ephemeral",
            "replace_original": False,
        }
        if blocks:
            body["blocks"] = blocks
        if said.thread:
            body["thread_ts"] = said.thread
        reply = webhook.send_dict(body)
        if reply.status_code != 200:
            raise _webhook_error(reply.status_code, reply.body, reply.headers)

    _simpler_when_refused(message, send)


def _simpler_when_refused(message: Message, send: Callable[[str, list[dict[str, Any]]], T]) -> T:
    for level in range(SIMPLEST + 1):
        simpler = degrade(message, level)
        try:
            return send(simpler.text, list(simpler.blocks))
        except SlackApiError as error:
            wrong: Exception = _api_error(error)
        except (SlackClientError, URLError, HTTPException, OSError) as error:
            wrong = UpstreamError("slack", type(error).__name__, permanent=False)
        except _RefusedError as error:
            wrong = error
        if not isinstance(wrong, _RefusedError):
            raise wrong
        log.warning("message.refused", extra={"level": level, "reason": str(wrong)})
    raise UpstreamError("slack", "refuses even plain text", permanent=True)


def _api_error(error: SlackApiError) -> Exception:
    response = error.response
    status = getattr(response, "status_code", 0)
    headers = getattr(response, "headers", None) or {}
    try:
        reason = str(response.get("error") or status)
    except (ValueError, AttributeError):  # a proxy's page instead of JSON
        reason = str(status)
    return _meaning(reason, status, headers)


def _webhook_error(status: int, body: str, headers: Mapping[str, Any]) -> Exception:
    """response_url answers in plain words: `used_url`, `expired_url`, `invalid_blocks`."""
    words = body.strip()[:200]
    known = next((word for word in REFUSED if word in words), None)
    if known is None and status in (400, 404, 410):
        return NoWayError(words or str(status))
    return _meaning(known or words or str(status), status, headers)


def _meaning(reason: str, status: int, headers: Mapping[str, Any]) -> Exception:
    if reason in REFUSED:
        return _RefusedError(reason)
    if reason in NO_WAY:
        return NoWayError(reason)
    if reason in ("message_not_found", "cant_update_message"):
        return GoneError()
    if status == 429 or reason in PASSING:
        return UpstreamError("slack", reason, permanent=False, retry_after_s=_retry_after(headers))
    return UpstreamError("slack", reason, permanent=200 <= status < 500)


def _retry_after(headers: Mapping[str, Any]) -> float | None:
    for name, value in headers.items():
        if name.lower() == "retry-after":
            text = str(value[0] if isinstance(value, list) else value)
            return float(text) if text.isdigit() else None
    return None
