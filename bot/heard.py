"""What Slack's payloads mean: who said or clicked what, where, and by which name it is known once. Pure.

Shapes: https://docs.slack.dev/interactivity/implementing-slash-commands, …/reference/interaction-payloads,
…/reference/events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot import grammar

Kind = Literal["command", "mention", "message", "click", "form", "home", "links"]
Payload = Mapping[str, Any]
FILES = "files"  # the field of `form` that holds the ids of attached files
_LEADING_MENTION = re.compile(r"^\s*<@[A-Z0-9]+(\|[^>]*)?>[\s:,]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One thing to answer. `key` is the same for each repeat that Slack sends of it."""

    key: str
    kind: Kind
    person: str
    name: str
    line: str
    channel: str = ""
    thread: str | None = None
    message: str | None = None
    form: Mapping[str, str] | None = None
    response_url: str | None = None
    trigger_id: str | None = None


def from_command(body: Payload) -> Heard:
    return Heard(
        key=f"{body['team_id']}/{body['trigger_id']}",
        kind="command",
        person=body["user_id"],
        name=body.get("user_name") or body["user_id"],
        line=body.get("text") or "",
        channel=body["channel_id"],
        response_url=body.get("response_url"),
        trigger_id=body["trigger_id"],
    )


def from_event(body: Payload) -> Heard | None:
    """A mention or a direct message, with what was attached; None for what is no person's own words."""
    event = body["event"]
    if event.get("bot_id") or event.get("subtype") not in (None, "file_share") or not event.get("user"):
        return None
    files = ",".join(str(file["id"]) for file in event.get("files") or () if isinstance(file, dict) and file.get("id"))
    is_direct = event["type"] == "message"
    if is_direct and event.get("channel_type") != "im":
        return None
    return Heard(
        key=f"{body['team_id']}/{body['event_id']}",
        kind="message" if is_direct else "mention",
        person=event["user"],
        name=event["user"],
        line=_LEADING_MENTION.sub("", event.get("text") or ""),
        channel=event["channel"],
        thread=event.get("thread_ts") if is_direct else event.get("thread_ts") or event["ts"],
        form={FILES: files} if files else None,
    )


def from_home(body: Payload) -> Heard:
    event = body["event"]
    return Heard(
        key=f"{body['team_id']}/{body['event_id']}", kind="home", person=event["user"], name=event["user"], line=""
    )


def from_links(body: Payload) -> Heard:
    """Links to our pages in what somebody wrote; `form` has them, and by what Slack knows the place of its preview."""
    event = body["event"]
    links = [str(link["url"]) for link in event.get("links") or () if link.get("url")]
    place = {name: str(event[name]) for name in ("unfurl_id", "source") if event.get(name)}
    return Heard(
        key=f"{body['team_id']}/{body['event_id']}",
        kind="links",
        person=event["user"],
        name=event["user"],
        line="",
        channel=str(event.get("channel") or ""),
        message=str(event.get("message_ts") or ""),
        form={"links": "\n".join(links), **place},
    )


def from_click(body: Payload) -> Heard:
    """A button, or a choice from a menu, whose value is the rest of the command line."""
    action = body["actions"][0]
    container = body.get("container", {})
    value = (action.get("selected_option") or {}).get("value") or action.get("value") or ""
    return Heard(
        key=f"{_team(body)}/{body['trigger_id']}",
        kind="click",
        person=body["user"]["id"],
        name=_name(body),
        line=grammar.clicked(action["action_id"], value) or f"{action['action_id'].replace(':', ' ')} {value}".strip(),
        channel=(body.get("channel") or {}).get("id", ""),
        thread=container.get("thread_ts"),
        message=None if container.get("is_ephemeral") else container.get("message_ts"),
        response_url=body.get("response_url"),
        trigger_id=body["trigger_id"],
    )


def from_shortcut(body: Payload, line: str) -> Heard:
    message = body.get("message") or {}
    return Heard(
        key=f"{_team(body)}/{body['trigger_id']}",
        kind="click",
        person=body["user"]["id"],
        name=_name(body),
        line=line,
        channel=(body.get("channel") or {}).get("id", ""),
        thread=message.get("thread_ts") or message.get("ts"),
        response_url=body.get("response_url"),
        trigger_id=body["trigger_id"],
    )


def again(said: Heard) -> Heard:
    """The same once more, for when what was done at once did not work."""
    return replace(said, key=f"{said.key}/again")


def from_submission(body: Payload, *, line: str, form: Mapping[str, str], channel: str, thread: str | None) -> Heard:
    return Heard(
        key=f"{_team(body)}/{body.get('trigger_id') or body['view']['id']}/submitted",
        kind="form",
        person=body["user"]["id"],
        name=_name(body),
        line=line,
        channel=channel,
        thread=thread,
        form=form,
    )


def values_of(view: Payload) -> dict[str, str]:
    """What was filled in, by block id; several choices are joined by commas, nothing is an empty text."""
    filled: dict[str, str] = {}
    for block_id, elements in view.get("state", {}).get("values", {}).items():
        for element in elements.values():
            filled[block_id] = _filled(element)
    return filled


def _filled(element: Payload) -> str:
    if element.get("selected_option"):
        return str(element["selected_option"]["value"])
    if element.get("selected_options"):
        return ",".join(str(option["value"]) for option in element["selected_options"])
    chosen = element.get("value") or element.get("selected_user") or element.get("selected_conversation")
    return str(chosen) if chosen else ""


def _team(body: Payload) -> str:
    return str((body.get("team") or {}).get("id") or (body.get("user") or {}).get("team_id") or "")


def _name(body: Payload) -> str:
    user = body["user"]
    return str(user.get("name") or user.get("username") or user["id"])
