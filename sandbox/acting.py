"""Acting as people in the sandbox's workspace, over its control API: type, click, look, and turn switches."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import requests

from core.errors import NotFoundError

TIMEOUT_S = 20.0
State = dict[str, Any]
Json = dict[str, Any]


class Stage:
    """The workspace as people see it. People and places are called by name: Dana, "#model-releases", "@Dana"."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._local = threading.local()

    def state(self) -> State:
        return self._ask("GET", "/sandbox/state")

    def clock(self) -> datetime:
        return datetime.fromisoformat(self.state()["clock"])

    def advance(self, by: timedelta) -> datetime:
        return datetime.fromisoformat(self._ask("POST", "/sandbox/clock", {"advance_s": by.total_seconds()})["clock"])

    def switch(self, faults: Mapping[str, object]) -> None:
        self._ask("POST", "/sandbox/faults", dict(faults))

    def say(self, who: str, place: str, text: str) -> Json:
        """Type a line; returns how the app acknowledged it. Raises: NotFoundError: there is no such person or place."""
        state = self.state()
        user = person(state, who)
        return self._ask("POST", "/sandbox/say", {"user": user, "channel": channel(state, place, user), "text": text})

    def click(self, who: str, place: str, button: str) -> Json | None:
        """Press the newest button whose label begins with some words; None when there is none yet."""
        state = self.state()
        user = person(state, who)
        where = channel(state, place, user)
        for message in reversed(messages(state, where, user)):
            for block in message["blocks"]:
                for element in _buttons(block):
                    if element["text"]["text"].lower().startswith(button.lower()):
                        return self._press(user, message, block, element)
        return None

    def _press(self, user: str, message: Json, block: Json, element: Json) -> Json:
        pressed = {"block_id": block.get("block_id"), "action_id": element["action_id"], "value": element.get("value")}
        return self._ask(
            "POST", "/sandbox/click", {"user": user, "channel": message["channel"], "ts": message["ts"], **pressed}
        )

    def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        reply = session.request(method, self.url + path, json=body, timeout=TIMEOUT_S)
        reply.raise_for_status()
        answer: Json = reply.json()
        return answer


def person(state: State, name: str) -> str:
    """Return the id of a person called by name or id."""
    for each in state["users"]:
        if name.lower().lstrip("@") in (each["name"].lower(), each["id"].lower()):
            return str(each["id"])
    raise NotFoundError(f"nobody here is called {name}; there are {', '.join(each['name'] for each in state['users'])}")


def channel(state: State, place: str, user: str) -> str:
    """Return the id of a channel; `@…` is the direct message between the person who acts and the app."""
    if place.startswith("@"):
        return next(str(each["id"]) for each in state["channels"] if each["id"] == "D0" + user.removeprefix("U0"))
    for each in state["channels"]:
        if place.lstrip("#") in (each["name"], each["id"]):
            return str(each["id"])
    known = ", ".join(f"#{each['name']}" for each in state["channels"] if each["kind"] == "channel")
    raise NotFoundError(f"there is no {place}; there are {known}")


def messages(state: State, where: str | None, user: str | None) -> list[Json]:
    """Return what stands in a channel (any if None) and this person may see (everybody if None), oldest first."""
    return [
        each
        for each in state["messages"]
        if where in (None, each["channel"]) and (user is None or each["ephemeral_to"] in (None, user))
    ]


def spelled(state: State, text: str) -> str:
    """Return a text with people and channels by their names, as Slack shows it."""
    for sign, each in [("@", user) for user in state["users"]] + [("#", room) for room in state["channels"]]:
        text = text.replace(f"<{sign}{each['id']}>", f"{sign}{each['name']}")
    return text


def words(message: Mapping[str, Any]) -> str:
    """Return all text of a message: its fallback and whatever its blocks say."""
    return "\n".join([message["text"] or "", *_texts(message["blocks"])])


def lines(message: Mapping[str, Any]) -> list[str]:
    """Return a message as lines of text: its blocks where it has some, tables with a row a line."""
    found: list[str] = []
    for block in message["blocks"]:
        if block.get("type") == "data_table":
            found += [
                "  ".join(str(cell.get("text") or cell.get("value", "")) for cell in row) for row in block["rows"]
            ]
        elif block.get("type") not in ("actions", "data_visualization"):
            found += list(_texts(block))
    return found or [message["text"] or ""]


def buttons(message: Mapping[str, Any]) -> list[str]:
    return [each["text"]["text"] for block in message["blocks"] for each in _buttons(block)]


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name in ("text", "title", "value", "label", "fallback") and isinstance(value, str):
                yield value
            else:
                yield from _texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)


def _buttons(block: Mapping[str, Any]) -> Iterator[Json]:
    found = [*block.get("elements", ()), block.get("accessory") or {}]
    yield from (each for each in found if each.get("type") == "button" and "action_id" in each)
