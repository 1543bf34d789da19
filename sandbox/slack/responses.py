"""What an app posts to a response URL: an answer to one person or to the channel, or a change of the message.

https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.slack.handles import Reply
from sandbox.slack.limits import check_message
from sandbox.slack.service import Slack
from sandbox.slack.state import BOT_USER, Json, Message

RESPONSE_TYPES = ("ephemeral", "in_channel")


def respond(slack: Slack, token: str, answer: object) -> tuple[Json, int]:
    """Carry out one use of a response URL; return what Slack answers and the HTTP status."""
    if not isinstance(answer, dict):
        return {"ok": False, "error": "invalid_payload"}, 400
    reply, error = slack.response_urls.use(token)
    if reply is None:
        slack.workspace.count_rejected()
        return {"ok": False, "error": error}, 404
    original = slack.workspace.message(reply.channel, reply.message_ts) if reply.message_ts else None
    if answer.get("delete_original"):
        if original:
            slack.workspace.remove(original)
        return {"ok": True}, 200
    refusal = check_message(answer.get("text"), answer.get("blocks"))
    if refusal:
        slack.workspace.count_rejected()
        return refusal.answer(), 400
    if answer.get("replace_original") and original:
        slack.workspace.edit(original, text=answer.get("text") or "", blocks=blocks_of(answer), edited=True)
        return {"ok": True}, 200
    slack.workspace.post(_message(reply, answer))
    return {"ok": True}, 200


def _message(reply: Reply, answer: Json) -> Message:
    in_channel = answer.get("response_type", RESPONSE_TYPES[0]) == RESPONSE_TYPES[1]
    return Message(
        channel=reply.channel,
        ts="",
        user=BOT_USER,
        text=answer.get("text") or "",
        blocks=blocks_of(answer),
        thread_ts=answer.get("thread_ts"),
        ephemeral_to=None if in_channel else reply.user,
    )


def blocks_of(answer: Mapping[str, Any]) -> tuple[Json, ...]:
    return tuple(answer.get("blocks") or ())
