"""The world outside, whole: Slack, Jira, Confluence, mail, what is wrong with them just now, and what time it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.changes import Changes
from sandbox.confluence import ConfluenceWorld
from sandbox.faults import Faults
from sandbox.jira import JiraWorld
from sandbox.mail import MailWorld
from sandbox.slack.delivery import ACK_S
from sandbox.slack.people import People
from sandbox.slack.service import Credentials, Mode, Slack
from sandbox.slack.state import SLACKBOT, Message
from sandbox.virtual_clock import VirtualClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the story that the tour tells."""

    step: int
    of: int
    title: str
    text: str


class World:
    """Everything outside the house. Any thread may use it; `changed()` tells those who watch.

    `clock_file` is where other processes read the world's time. `mode` is how Slack speaks to the app: to
    `request_url` by HTTP, or through the line the app opens (Socket Mode). `monotonic` measures real time limits.
    """

    def __init__(
        self,
        *,
        clock_file: Path | None = None,
        at: datetime | None = None,
        rate: float = 1.0,
        mode: Mode = "http",
        request_url: str | None = None,
        command: str = "/muster",
        credentials: Credentials | None = None,
        ack_s: float = ACK_S,
        retry_after_s: tuple[float, ...] = (0.5, 2.0, 5.0),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.changes = Changes()
        self.changed = self.changes.note
        self.clock = VirtualClock(clock_file, at=at, rate=rate)
        self.faults = Faults(self.changed)
        self.slack = Slack(
            self.faults,
            self.clock,
            self.changed,
            credentials=credentials,
            command=command,
            mode=mode,
            request_url=request_url,
            ack_s=ack_s,
            retry_after_s=retry_after_s,
            monotonic=monotonic,
        )
        self.people = People(self.slack)
        self.jira = JiraWorld(self.faults, self.clock, changed=self.changed)
        self.confluence = ConfluenceWorld(self.faults, self.clock, changed=self.changed)
        self.mail = MailWorld(self.faults, self.clock, changed=self.changed)
        self._lock = threading.Lock()
        self._story: list[Step] = []

    @property
    def story(self) -> tuple[Step, ...]:
        with self._lock:
            return tuple(self._story)

    def tell(self, step: int, of: int, title: str, text: str) -> None:
        """Add a step to the story; telling the same step again replaces it."""
        with self._lock:
            self._story = [told for told in self._story if told.step != step]
            self._story.append(Step(step=step, of=of, title=title, text=text))
        self.changed()

    def advance(self, by: timedelta) -> None:
        self.clock.advance(by)
        self.changed()

    def set_rate(self, rate: float) -> None:
        """Let `rate` seconds of the world pass in each real one."""
        self.clock.set_rate(rate)
        self.changed()

    def state(self) -> dict[str, Any]:
        """Everything the page shows. The number comes first, so a change in between is seen again."""
        seq = self.changes.last
        slack = self.slack
        people = [person for person in slack.workspace.people.values() if person.id != SLACKBOT]
        return {
            "seq": seq,
            "users": [{"id": person.id, "name": person.name, "title": person.title} for person in people],
            "channels": [
                {"id": channel.id, "name": channel.name, "kind": channel.kind}
                for channel in list(slack.workspace.channels.values())
            ],
            "messages": [_message(message) for message in slack.workspace.messages()],
            "views": [
                {"id": window.id, "user": window.user, "view": {"id": window.id, **window.view}}
                for window in slack.windows.all()
            ],
            "homes": {user: {"id": window.id, **window.view} for user, window in slack.windows.homes().items()},
            "jira": self.jira.facts(),
            "pages": self.confluence.facts(),
            "mails": self.mail.facts(),
            "faults": self.faults.values(),
            "clock": self.clock().isoformat(),
            "rate": self.clock.rate,
            "story": [asdict(step) for step in self.story],
            "delivery": slack.mode,
            "command": slack.command,
            "counts": dict(slack.workspace.counts),
        }

    def close(self) -> None:
        self.changes.close()
        self.jira.close()
        self.slack.close()


def _message(message: Message) -> dict[str, Any]:
    return {
        "channel": message.channel,
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "user": message.user,
        "text": message.text,
        "blocks": list(message.blocks),
        "ephemeral_to": message.ephemeral_to,
        "edited": message.edited,
        "broadcast": message.broadcast,
        "reactions": {name: list(users) for name, users in message.reactions.items()},
        "files": list(message.files),
    }
