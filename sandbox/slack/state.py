"""What a pretended workspace holds: people, channels, messages, and the windows that are open.

Every method may be called from any thread. What it returns is a copy or frozen.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

Json = dict[str, Any]

TEAM = "T0MUSTER"
APP = "A0MUSTER"
BOT_USER = "U0MUSTER"
BOT = "B0MUSTER"
SLACKBOT = "USLACKBOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    id: str
    name: str
    title: str = ""
    is_bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A public channel, or the direct messages between one person and the app (`kind` "im")."""

    id: str
    name: str
    kind: str = "channel"
    members: frozenset[str] = frozenset()
    is_archived: bool = False

    @property
    def person(self) -> str:
        """The person of direct messages."""
        return next(iter(self.members - {BOT_USER}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. A `broadcast` reply shows in the channel as well as in its thread."""

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: tuple[Json, ...] = ()
    thread_ts: str | None = None
    ephemeral_to: str | None = None
    edited: bool = False
    broadcast: bool = False
    reactions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[Json, ...] = ()
    metadata: Json | None = None

    @property
    def is_from_app(self) -> bool:
        return self.user == BOT_USER

    def seen_by(self, person: str) -> bool:
        return self.ephemeral_to in (None, person)


PEOPLE = (
    Person(id="U0DANA", name="Dana", title="ML engineer"),
    Person(id="U0MIA", name="Mia", title="Release manager"),
    Person(id="U0TOM", name="Tom", title="Engineering lead"),
    Person(id="U0PAM", name="Pam", title="Product manager"),
)
CHANNELS = {"C0RELEASES": "model-releases", "C0FEEDBACK": "app-feedback", "C0GENERAL": "general"}


class Workspace:
    """People, channels and messages of one team, and how often the app posted, edited and was refused."""

    def __init__(self, clock: Callable[[], datetime], changed: Callable[[], None] = lambda: None) -> None:
        self.lock = threading.RLock()
        self._clock = clock
        self._changed = changed
        self._last_ts = 0
        self._messages: dict[tuple[str, str], Message] = {}
        self.counts = {"posted": 0, "updated": 0, "rejected": 0}
        bot = Person(id=BOT_USER, name="Muster", title="App", is_bot=True)
        slackbot = Person(id=SLACKBOT, name="Slackbot", is_bot=True)
        self.people: dict[str, Person] = {person.id: person for person in (*PEOPLE, bot, slackbot)}
        all_of_us = frozenset(person.id for person in PEOPLE) | {BOT_USER}
        self.channels: dict[str, Channel] = {
            id_: Channel(id=id_, name=name, members=all_of_us) for id_, name in CHANNELS.items()
        }
        for person in PEOPLE:
            self._add_direct(person)

    def _add_direct(self, person: Person) -> None:
        id_ = f"D{person.id[1:]}"
        members = frozenset({person.id, BOT_USER})
        self.channels[id_] = Channel(id=id_, name=person.name, kind="im", members=members)

    def add_channel(self, id_: str, name: str, members: Iterable[str], *, is_archived: bool = False) -> None:
        with self.lock:
            self.channels[id_] = Channel(id=id_, name=name, members=frozenset(members), is_archived=is_archived)
        self._changed()

    def join(self, channel: str, member: str) -> Channel:
        with self.lock:
            known = self.channels[channel]
            self.channels[channel] = replace(known, members=known.members | {member})
        self._changed()
        return self.channels[channel]

    def find_channel(self, name: str) -> Channel | None:
        """The channel of that id, `#name`, or, for a person's id, the direct messages with them."""
        with self.lock:
            if name in self.channels:
                return self.channels[name]
            if name in self.people:
                return self.channels.get(f"D{name[1:]}")
            wanted = name.removeprefix("#")
            named = (known for known in self.channels.values() if known.kind == "channel" and known.name == wanted)
            return next(named, None)

    def next_ts(self) -> str:
        """A timestamp that was never given before: Slack's name for a message."""
        with self.lock:
            micros = int(self._clock().timestamp() * 1_000_000)
            self._last_ts = max(micros, self._last_ts + 1)
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def post(self, message: Message) -> Message:
        """Keep a message; its blocks get the ids they lack. An empty `ts` is filled in."""
        with self.lock:
            message = replace(message, ts=message.ts or self.next_ts(), blocks=with_ids(message.blocks))
            self._messages[message.channel, message.ts] = message
            if message.is_from_app:
                self.counts["posted"] += 1
        self._changed()
        return message

    def edit(self, message: Message, **changes: Any) -> Message:
        with self.lock:
            if "blocks" in changes:
                changes["blocks"] = with_ids(changes["blocks"])
            fresh = replace(message, **changes)
            self._messages[fresh.channel, fresh.ts] = fresh
            if "text" in changes or "blocks" in changes:
                self.counts["updated"] += 1
        self._changed()
        return fresh

    def remove(self, message: Message) -> None:
        with self.lock:
            self._messages.pop((message.channel, message.ts), None)
        self._changed()

    def count_rejected(self) -> None:
        with self.lock:
            self.counts["rejected"] += 1
        self._changed()

    def message(self, channel: str, ts: str) -> Message | None:
        with self.lock:
            return self._messages.get((channel, ts))

    def messages(self, channel: str | None = None, *, thread: str | None = None) -> tuple[Message, ...]:
        """Messages, oldest first: all, those of one channel, or those of one thread with the message it hangs on."""
        with self.lock:
            found = (m for m in self._messages.values() if channel in (None, m.channel))
            if thread is not None:
                found = (m for m in found if thread in (m.ts, m.thread_ts))
            return tuple(sorted(found, key=lambda m: m.ts))


def with_ids(blocks: Iterable[Mapping[str, Any]]) -> tuple[Json, ...]:
    """Copies of the blocks in which every block has a block_id and every element that acts an action_id."""
    return tuple(_with_id(deepcopy(dict(block))) for block in blocks)


def _with_id(block: Json) -> Json:
    block.setdefault("block_id", secrets.token_urlsafe(4))
    for element in acting_elements(block):
        element.setdefault("action_id", secrets.token_urlsafe(4))
    return block


_STILL = frozenset({"image", "plain_text", "mrkdwn"})


def acting_elements(block: Mapping[str, Any]) -> tuple[Json, ...]:
    """The elements of a block that a person can act on."""
    match block.get("type"):
        case "actions" | "context" | "context_actions":
            elements = block["elements"]
        case "section":
            elements = [block["accessory"]] if "accessory" in block else []
        case "input":
            elements = [block["element"]]
        case "card":
            elements = block.get("actions", [])
        case "container" | "carousel":
            inner = block.get("child_blocks") or block.get("elements") or []
            elements = [element for child in inner for element in acting_elements(child)]
        case _:
            elements = []
    return tuple(element for element in elements if element.get("type") not in _STILL)
