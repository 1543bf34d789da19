"""The Web API's conversations.* and users.* methods."""

from __future__ import annotations

from sandbox.slack.calls import ApiError, Args, channel_of, page
from sandbox.slack.payloads import message_facts
from sandbox.slack.service import Slack
from sandbox.slack.state import BOT_USER, TEAM, Channel, Json, Message, Person


def list_conversations(slack: Slack, args: Args) -> Json:
    kinds = (args.text("types") or "public_channel").split(",")
    wanted = {"im" if kind.strip() == "im" else "channel" for kind in kinds if kind.strip() in ("public_channel", "im")}
    found = [channel for channel in slack.workspace.channels.values() if channel.kind in wanted]
    if args.flag("exclude_archived"):
        found = [channel for channel in found if not channel.is_archived]
    shown, metadata = page(found, args)
    return {"channels": [_channel_facts(channel) for channel in shown], "response_metadata": metadata}


def conversation_info(slack: Slack, args: Args) -> Json:
    return {"channel": _channel_facts(_channel(slack, args))}


def history(slack: Slack, args: Args) -> Json:
    channel = _channel(slack, args)
    if BOT_USER not in channel.members:
        raise ApiError("not_in_channel")
    everything = [m for m in slack.workspace.messages(channel.id) if m.broadcast or m.thread_ts in (None, m.ts)]
    return _messages(everything[::-1], args)


def replies(slack: Slack, args: Args) -> Json:
    channel = _channel(slack, args)
    thread = args.needed("ts", "thread_not_found")
    found = slack.workspace.messages(channel.id, thread=thread)
    if not found:
        raise ApiError("thread_not_found")
    return _messages(list(found), args)


def _messages(found: list[Message], args: Args) -> Json:
    oldest, latest = args.text("oldest") or "0", args.text("latest") or "9999999999.999999"
    inclusive = args.flag("inclusive")
    lasting = [
        message
        for message in found
        if message.ephemeral_to is None
        and (oldest < message.ts < latest or (inclusive and message.ts in (oldest, latest)))
    ]
    shown, metadata = page(lasting, args)
    return {
        "messages": [message_facts(message) for message in shown],
        "has_more": bool(metadata["next_cursor"]),
        "response_metadata": metadata,
    }


def join(slack: Slack, args: Args) -> Json:
    channel = _channel(slack, args)
    if channel.kind == "im":
        raise ApiError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise ApiError("is_archived")
    return {"channel": _channel_facts(slack.workspace.join(channel.id, BOT_USER))}


def open_direct(slack: Slack, args: Args) -> Json:
    user = args.needed("users", "users_list_not_supplied")
    person = slack.workspace.people.get(user)
    if person is None or person.is_bot:
        raise ApiError("user_not_found")
    return {"channel": {"id": channel_of(slack.workspace, user).id}}


def members(slack: Slack, args: Args) -> Json:
    shown, metadata = page(sorted(_channel(slack, args).members), args)
    return {"members": shown, "response_metadata": metadata}


def user_info(slack: Slack, args: Args) -> Json:
    person = slack.workspace.people.get(args.needed("user", "user_not_found"))
    if person is None:
        raise ApiError("user_not_found")
    return {"user": _person_facts(person)}


def list_users(slack: Slack, args: Args) -> Json:
    shown, metadata = page(list(slack.workspace.people.values()), args)
    return {"members": [_person_facts(person) for person in shown], "response_metadata": metadata}


def _channel(slack: Slack, args: Args) -> Channel:
    """By id only: a name is not understood here, as in Slack."""
    channel = slack.workspace.channels.get(args.needed("channel", "channel_not_found"))
    if channel is None:
        raise ApiError("channel_not_found")
    return channel


def _channel_facts(channel: Channel) -> Json:
    facts: Json = {
        "id": channel.id,
        "is_channel": channel.kind == "channel",
        "is_im": channel.kind == "im",
        "is_archived": channel.is_archived,
        "is_private": channel.kind == "im",
        "context_team_id": TEAM,
    }
    if channel.kind == "im":
        return {**facts, "user": channel.person}
    is_member = BOT_USER in channel.members
    return {**facts, "name": channel.name, "is_member": is_member, "num_members": len(channel.members)}


def _person_facts(person: Person) -> Json:
    return {
        "id": person.id,
        "team_id": TEAM,
        "name": person.name.lower(),
        "real_name": person.name,
        "deleted": False,
        "is_bot": person.is_bot,
        "is_admin": False,
        "tz": "UTC",
        "tz_label": "Coordinated Universal Time",
        "tz_offset": 0,
        "profile": {"real_name": person.name, "display_name": person.name, "title": person.title},
    }
