"""A pretended workspace wired to the real listeners and the real job, over HTTP both ways."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.context import Context
from bot.hear import hear
from bot.views.blocks import Message as Said
from sandbox.slack.people import Outcome
from sandbox.slack.state import Message
from sandbox.slack.windows import Window
from sandbox.world import World
from tests.conftest import JobList
from tests.sandbox.apps import Real

RELEASES = "C0RELEASES"
FEEDBACK = "C0FEEDBACK"
DANA, MIA, TOM, PAM = "U0DANA", "U0MIA", "U0TOM", "U0PAM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """People act; `settle` runs what they asked for, as the worker would."""

    ctx: Context
    world: World
    jobs: JobList
    real: Real
    others: Mapping[str, Callable[..., None]]

    def say(self, user: str, text: str, channel: str = FEEDBACK, thread: str | None = None) -> Outcome:
        outcome = self.world.people.say(user, channel, text, thread)
        self.world.slack.courier.settle()
        return outcome

    def ask(self, user: str, text: str, channel: str = FEEDBACK) -> Message:
        """Type a command and return the answer."""
        assert self.say(user, f"/muster {text}", channel).ok
        self.settle()
        return self.last()

    def click(self, user: str, message: Message, text: str) -> Outcome:
        """Click the button with this text."""
        block, element = button_of(message, text)
        return self.world.people.click(
            user,
            action_id=element["action_id"],
            block_id=block["block_id"],
            channel=message.channel,
            ts=message.ts,
        )

    def settle(self) -> None:
        self.jobs.run(self.ctx, {"hear": hear, **self.others})

    def until(self, claim: Callable[[], bool], *, within_s: float = 5.0) -> None:
        """Wait for what happens after the acknowledgement is out."""
        end = time.monotonic() + within_s
        while not claim():
            assert time.monotonic() < end, "it did not happen"
            self.world.changes.wait(self.world.changes.last, 0.02)

    def opened_by(self, user: str) -> Window:
        """The modal that opened for this person."""
        windows = self.world.slack.windows
        self.until(lambda: any(window.user == user for window in windows.all()))
        return [window for window in windows.all() if window.user == user][-1]

    def hear(self) -> None:
        """Answer what people said and leave other jobs waiting."""
        while said := next((job for job in self.jobs.waiting if job.job == "hear"), None):
            self.jobs.waiting.remove(said)
            hear(self.ctx, **said.ids)

    def messages(self) -> list[Message]:
        return list(self.world.slack.workspace.messages())

    def last(self) -> Message:
        return self.messages()[-1]

    def said(self, message: Message) -> str:
        """All its words."""
        return "\n".join([message.text, *_words(list(message.blocks))])


def as_said(message: Message) -> Said:
    """The message as we said it: Slack adds ids of blocks."""
    return Said(text=message.text, blocks=tuple(message.blocks))


def button_of(message: Message, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    for block in message.blocks:
        for element in block.get("elements", []):
            if isinstance(element.get("text"), dict) and element["text"]["text"] == text:
                return block, element
    raise AssertionError(f"no button {text!r} in {message.text!r}")


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [word for part in value.values() for word in _words(part)]
    return [word for part in value for word in _words(part)] if isinstance(value, list) else []
