"""What Slack tells an app: slash commands, interactions and events, in Slack's shapes. Pure.

https://docs.slack.dev/interactivity/implementing-slash-commands, …/reference/interaction-payloads, …/reference/events
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.slack.state import APP, BOT, BOT_USER, TEAM, Channel, Json, Message, Person
from sandbox.slack.windows import Window

DOMAIN = "muster-sandbox"
# Slack still sends this token of old; apps check the signature instead.
VERIFICATION = "sandbox-verification-token"

Kind = Literal["slash_commands", "interactive", "events_api"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One thing told to the app, however it travels."""

    kind: Kind
    payload: Json


_MEANT = re.compile(r"&lt;((?:@[UW]|#C|!subteam\^)[A-Z0-9]+(?:\|[^&<>]*)?)&gt;")


def typed_text(text: str, people: Iterable[Person]) -> str:
    """What Slack makes of typed text: `&`, `<`, `>` escaped, and @Name turned into a mention."""
    escaped = html.escape(text, quote=False)
    for person in sorted(people, key=lambda person: -len(person.name)):
        escaped = re.sub(rf"(?<![\w@])@{re.escape(person.name)}\b", f"<@{person.id}>", escaped, flags=re.IGNORECASE)
    return _MEANT.sub(r"<\1>", escaped)


def slash_command(
    person: Person, channel: Channel, command: str, text: str, *, trigger_id: str, response_url: str
) -> Delivery:
    payload = {
        "token": VERIFICATION,
        "team_id": TEAM,
        "team_domain": DOMAIN,
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.kind == "im" else channel.name,
        "user_id": person.id,
        "user_name": person.name.lower(),
        "command": command,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }
    return Delivery(kind="slash_commands", payload=payload)


def _interaction(kind: str, person: Person, **more: Any) -> Delivery:
    payload = {
        "type": kind,
        "team": {"id": TEAM, "domain": DOMAIN},
        "user": {"id": person.id, "username": person.name.lower(), "name": person.name.lower(), "team_id": TEAM},
        "api_app_id": APP,
        "token": VERIFICATION,
        "enterprise": None,
        "is_enterprise_install": False,
        **more,
    }
    return Delivery(kind="interactive", payload=payload)


def click_in_message(
    person: Person, channel: Channel, message: Message, action: Json, *, trigger_id: str, response_url: str
) -> Delivery:
    container = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.ephemeral_to is not None,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    more: Json = {} if message.ephemeral_to else {"message": message_facts(message)}
    return _interaction(
        "block_actions",
        person,
        container=container,
        trigger_id=trigger_id,
        channel={"id": channel.id, "name": "directmessage" if channel.kind == "im" else channel.name},
        state={"values": {}},
        response_url=response_url,
        actions=[action],
        **more,
    )


def click_in_view(person: Person, window: Window, action: Json, *, trigger_id: str) -> Delivery:
    return _interaction(
        "block_actions",
        person,
        container={"type": "view", "view_id": window.id},
        trigger_id=trigger_id,
        view=window.facts(),
        actions=[action],
    )


def view_submission(person: Person, window: Window, *, trigger_id: str) -> Delivery:
    return _interaction("view_submission", person, trigger_id=trigger_id, view=window.facts(), response_urls=[])


def view_closed(person: Person, window: Window, *, is_cleared: bool) -> Delivery:
    return _interaction("view_closed", person, view=window.facts(), is_cleared=is_cleared)


def message_shortcut(
    person: Person, channel: Channel, message: Message, callback_id: str, *, trigger_id: str, response_url: str
) -> Delivery:
    return _interaction(
        "message_action",
        person,
        callback_id=callback_id,
        trigger_id=trigger_id,
        response_url=response_url,
        action_ts=message.ts,
        message_ts=message.ts,
        channel={"id": channel.id, "name": "directmessage" if channel.kind == "im" else channel.name},
        message=message_facts(message),
    )


def global_shortcut(person: Person, callback_id: str, *, trigger_id: str, action_ts: str) -> Delivery:
    return _interaction("shortcut", person, callback_id=callback_id, trigger_id=trigger_id, action_ts=action_ts)


def event(inner: Json, *, event_id: str, event_time: int) -> Delivery:
    authorization = {
        "enterprise_id": None,
        "team_id": TEAM,
        "user_id": BOT_USER,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    payload = {
        "token": VERIFICATION,
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": inner,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": event_time,
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
    }
    return Delivery(kind="events_api", payload=payload)


def said(message: Message, channel: Channel) -> Json:
    """The event of a message: `message.im` in direct messages, `app_mention` elsewhere."""
    inner: Json = {
        "type": "message" if channel.kind == "im" else "app_mention",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "event_ts": message.ts,
        "channel": channel.id,
        "team": TEAM,
        "client_msg_id": f"sandbox-{message.ts}",
        "blocks": list(message.blocks),
    }
    if channel.kind == "im":
        inner["channel_type"] = "im"
    if message.thread_ts:
        inner["thread_ts"] = message.thread_ts
    if message.files:
        inner |= {"files": list(message.files), "upload": False}
        if channel.kind == "im":
            inner["subtype"] = "file_share"
    return inner


def link_shared(message: Message, urls: Sequence[str], domain: str) -> Json:
    return {
        "type": "link_shared",
        "channel": message.channel,
        "user": message.user,
        "message_ts": message.ts,
        "event_ts": message.ts,
        "source": "conversations_history",
        "unfurl_id": f"{message.channel}.{message.ts}",
        "links": [{"domain": domain, "url": url} for url in urls],
    }


def home_opened(person: Person, channel: Channel, window: Window | None, *, event_ts: str) -> Json:
    inner: Json = {
        "type": "app_home_opened",
        "user": person.id,
        "channel": channel.id,
        "tab": "home",
        "event_ts": event_ts,
    }
    if window is not None:
        inner["view"] = window.facts()
    return inner


def message_facts(message: Message) -> Json:
    """A message as the Web API and payloads show it."""
    facts: Json = {
        "type": "message",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "team": TEAM,
    }
    if message.blocks:
        facts["blocks"] = list(message.blocks)
    if message.is_from_app:
        facts |= {"bot_id": BOT, "app_id": APP}
    if message.thread_ts:
        facts["thread_ts"] = message.thread_ts
    if message.broadcast:
        facts["subtype"] = "thread_broadcast"
    if message.edited:
        facts["edited"] = {"user": message.user, "ts": message.ts}
    if message.files:
        facts["files"] = list(message.files)
    if message.metadata:
        facts["metadata"] = message.metadata
    if message.reactions:
        facts["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)} for name, users in message.reactions.items()
        ]
    return facts


def action_of(block: Mapping[str, Any], element: Mapping[str, Any], picked: Json, *, action_ts: str) -> Json:
    """The entry of `actions` in a click: which element, and what was picked."""
    action: Json = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": action_ts,
        **picked,
    }
    for name in ("text", "value", "style", "url", "confirm", "placeholder"):
        if name in element and name not in action:
            action[name] = element[name]
    return action
