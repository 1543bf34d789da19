"""The Web API's chat.* and reactions.* methods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox.slack.calls import ApiError, Args, channel_of
from sandbox.slack.limits import check_message
from sandbox.slack.payloads import message_facts
from sandbox.slack.service import Slack
from sandbox.slack.state import BOT_USER, Channel, Json, Message


def post_message(slack: Slack, args: Args) -> Json:
    channel = _writable(slack, args)
    message = slack.workspace.post(_written(slack, args, channel))
    return {"channel": channel.id, "ts": message.ts, "message": message_facts(message)}


def post_ephemeral(slack: Slack, args: Args) -> Json:
    channel = _writable(slack, args)
    user = args.needed("user")
    if user not in channel.members:
        raise ApiError("user_not_in_channel")
    message = slack.workspace.post(replace(_written(slack, args, channel), ephemeral_to=user))
    return {"message_ts": message.ts}


def update(slack: Slack, args: Args) -> Json:
    """Without `blocks` the old ones stay, as in Slack; `[]` takes them away."""
    message = _own(slack, args, "cant_update_message")
    text = args.text("text")
    blocks = args.structure("blocks", "invalid_blocks_format") if args.has("blocks") else None
    _check(text if text is not None else message.text, blocks if blocks is not None else list(message.blocks))
    changes: dict[str, Any] = {"edited": True}
    if text is not None:
        changes["text"] = text
    if blocks is not None:
        changes["blocks"] = tuple(blocks)
    if args.has("metadata"):
        changes["metadata"] = args.structure("metadata", "invalid_metadata_format")
    fresh = slack.workspace.edit(message, **changes)
    return {"channel": fresh.channel, "ts": fresh.ts, "text": fresh.text, "message": message_facts(fresh)}


def delete(slack: Slack, args: Args) -> Json:
    message = _own(slack, args, "cant_delete_message")
    slack.workspace.remove(message)
    return {"channel": message.channel, "ts": message.ts}


def get_permalink(slack: Slack, args: Args) -> Json:
    channel = channel_of(slack.workspace, args.needed("channel", "channel_not_found"))
    ts = args.needed("message_ts", "message_not_found")
    if slack.workspace.message(channel.id, ts) is None:
        raise ApiError("message_not_found")
    return {"channel": channel.id, "permalink": f"{slack.base_url}/archives/{channel.id}/p{ts.replace('.', '')}"}


def unfurl(slack: Slack, args: Args) -> Json:
    """Show blocks under links of a message; what is not one of its links is refused, as in Slack."""
    channel = channel_of(slack.workspace, args.needed("channel", "channel_not_found"))
    message = slack.workspace.message(channel.id, args.needed("ts", "message_not_found"))
    shown = args.structure("unfurls", "invalid_unfurls_format")
    if message is None or not isinstance(shown, dict):
        raise ApiError("cannot_find_message" if message is None else "missing_unfurls")
    for url, preview in shown.items():
        if url.replace("&amp;", "&") not in message.text.replace("&amp;", "&"):
            raise ApiError("cannot_unfurl_url")
        _check("preview", preview.get("blocks"))
    blocks = tuple(block for preview in shown.values() for block in preview["blocks"])
    slack.workspace.edit(message, blocks=(*text_block(message), *blocks))
    return {}


def text_block(message: Message) -> tuple[Json, ...]:
    """A message with blocks shows these alone, so its words become one."""
    return message.blocks or ({"type": "section", "text": {"type": "mrkdwn", "text": message.text}},)


def add_reaction(slack: Slack, args: Args) -> Json:
    channel = channel_of(slack.workspace, args.needed("channel", "channel_not_found"))
    name = args.needed("name", "invalid_name").strip(":")
    message = slack.workspace.message(channel.id, args.needed("timestamp", "no_item_specified"))
    if message is None:
        raise ApiError("message_not_found")
    users = message.reactions.get(name, ())
    if BOT_USER in users:
        raise ApiError("already_reacted")
    slack.workspace.edit(message, reactions={**message.reactions, name: (*users, BOT_USER)})
    return {}


def _writable(slack: Slack, args: Args) -> Channel:
    channel = channel_of(slack.workspace, args.needed("channel", "channel_not_found"))
    if channel.is_archived:
        raise ApiError("is_archived")
    if BOT_USER not in channel.members:
        raise ApiError("not_in_channel")
    return channel


def _written(slack: Slack, args: Args, channel: Channel) -> Message:
    text = args.text("text")
    blocks = args.structure("blocks", "invalid_blocks_format")
    _check(text, blocks)
    thread_ts = args.text("thread_ts")
    if thread_ts and slack.workspace.message(channel.id, thread_ts) is None:
        raise ApiError("thread_not_found")
    return Message(
        channel=channel.id,
        ts="",
        user=BOT_USER,
        text=text or "",
        blocks=tuple(blocks or ()),
        thread_ts=thread_ts,
        broadcast=bool(thread_ts) and args.flag("reply_broadcast"),
        metadata=args.structure("metadata", "invalid_metadata_format"),
    )


def _check(text: str | None, blocks: object) -> None:
    refusal = check_message(text, blocks)
    if refusal:
        more = refusal.answer()
        raise ApiError(refusal.error, **{name: more[name] for name in more if name not in ("ok", "error")})


def _own(slack: Slack, args: Args, error: str) -> Message:
    """The app's own message that `channel` and `ts` name. Ephemeral ones cannot be changed this way."""
    channel = channel_of(slack.workspace, args.needed("channel", "channel_not_found"))
    message = slack.workspace.message(channel.id, args.needed("ts", "message_not_found"))
    if message is None or message.ephemeral_to:
        raise ApiError("message_not_found")
    if not message.is_from_app:
        raise ApiError(error)
    return message
