"""A release floor for tests: people type and click, phones report, ticks pass, jobs run when told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bot import store as bot_store
from bot.answer import Person, handle
from bot.context import Context
from bot.flows import release as flow
from bot.views.blocks import Message
from core.db import reading
from feedback.ingest import Collector
from releases import artifact_store, store
from releases.artifacts import Artifact
from releases.plan import Release
from releases.rollout import Decision, Rollout
from sandbox.slack.state import Message as Shown
from sandbox.world import World
from tests.bot.slack_rules import accepted
from tests.bot.workspace import DANA, MIA, PAM, RELEASES, TOM
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.releases.builders import register_both

NAMES = {DANA: "Dana", MIA: "Mia", TOM: "Tom", PAM: "Pam"}
START = 'release start kws@1.4.0 to=5,25,100 bake=1h guard="crash_rate<+0.2pt"'


@dataclass(slots=True)
class Floor:
    """Dana is operator, Mia approver, Tom admin; Pam has no role. `wall` is real time, which each run lets pass."""

    ctx: Context
    world: World
    jobs: JobList
    clock: ManualClock
    wall: ManualClock = field(default_factory=ManualClock)
    sent: int = 0

    def __post_init__(self) -> None:
        with self.ctx.databases.control.begin() as session:
            register_both(session)
            for person, role in ((DANA, "operator"), (MIA, "approver")):
                bot_store.grant(session, person=person, role=role, model="*", by=TOM, now=self.clock())

    def type(self, person: str, line: str, *, delivery: str | None = None) -> Message:
        who = Person(person, NAMES[person])
        message = handle(self.ctx, who, line, channel=RELEASES, delivery=delivery)
        accepted(message)
        return message

    def started(self) -> Release:
        """Dana proposes, Mia approves, the first tick starts it."""
        self.type(DANA, START)
        self.type(MIA, "release approve R1")
        self.tick()
        return self.release()

    def used_and_over(self) -> None:
        """Of the release's 400 installs a day ago all have reported; nothing is on its way now."""
        self.started()
        self.clock.advance(minutes=20)
        self.phones_report(crashing=0)
        self.type(MIA, "release kill R1")
        self.clock.advance(days=1, minutes=1)
        self.tick()

    def register(self, artifact: Artifact) -> None:
        with self.ctx.databases.control.begin() as session:
            artifact_store.register_artifact(session, artifact, app="demo", by="key_1", now=self.clock())

    def tick(self, ref: str = "R1") -> Decision:
        return flow.tick(self.ctx, self.release(ref).id, self.clock())

    def run(self) -> None:
        self.wall.advance(minutes=2)
        work: dict[str, Callable[..., None]] = {
            "show_card": partial(flow.show_card, wall=self.wall),
            "announce": partial(flow.announce, wall=self.wall),
            "open_ticket": lambda _ctx, fingerprint: None,
        }
        self.jobs.run(self.ctx, work)

    def release(self, ref: str = "R1") -> Release:
        with reading(self.ctx.databases.control) as session:
            return store.load_release(session, ref)

    def rollout(self, ref: str = "R1") -> Rollout:
        with reading(self.ctx.databases.control) as session:
            return store.load_rollout(session, store.load_release(session, ref).id)

    def history(self, ref: str = "R1") -> list[str]:
        with reading(self.ctx.databases.control) as session:
            return [event.what for event in store.history(session, store.load_release(session, ref).id)]

    def card(self) -> Shown:
        (found,) = self.cards()
        return found

    def cards(self) -> list[Shown]:
        return [each for each in self.channel() if each.thread_ts is None]

    def news(self) -> list[Shown]:
        return [each for each in self.channel() if each.thread_ts is not None]

    def channel(self) -> list[Shown]:
        messages = self.world.slack.workspace.messages()
        return [each for each in messages if each.channel == RELEASES and each.is_from_app]

    def phones_report(
        self,
        *,
        crashing: float,
        on: str = "Snapdragon 680",
        installs: int = 200,
        at: datetime | None = None,
        candidates: int | None = None,
        both: Mapping[str, Any] | None = None,
        **told: Any,
    ) -> None:
        """Both arms report an hour; of the candidate's installs on this chipset that share crashed.

        `candidates`: how many the candidate's arm has, if not as many. `both`: what all phones say besides, `told`
        what the candidate's do.
        """
        hour = at or self.clock() - timedelta(minutes=5)
        sizes = {"baseline": installs, "candidate": installs if candidates is None else candidates}
        inferences = [
            self._summary(arm, number, hour, on, crashed=arm == "candidate" and number < crashing * size)
            | dict(both or {})
            | (told if arm == "candidate" else {})
            for arm, size in sizes.items()
            for number in range(size)
        ]
        for start in range(0, len(inferences), 200):
            body = {"sent_at": self.clock().isoformat(), "context": {}, "inferences": inferences[start : start + 200]}
            collector = Collector(self.ctx.databases, self.ctx.settings)
            reply = collector.accept_batch(json.dumps(body).encode(), app="demo", now=self.clock())
            assert reply.rejected == 0, reply.results[0]

    def _summary(self, arm: str, number: int, hour: datetime, chipset: str, *, crashed: bool) -> dict[str, Any]:
        self.sent += 1
        release = self.release()
        version = release.candidate_version if arm == "candidate" else release.baseline_version
        return {
            "uuid": f"uuid-{self.sent}", "install": f"{arm}-{chipset}-{number}", "window_start": hour.isoformat(),
            "count": 100, "errors": {"crash": int(crashed)}, "os.name": "Android", "soc": chipset,
            "latency_ms": {"scheme": "log2x4", "buckets": {"20": 90, "24": 10}, "sum": 3000.0, "max": 70.0},
            "model": {"name": "kws", "version": version, "release": release.id, "arm": arm},
        }  # fmt: skip


def words(message: Message | Shown) -> str:
    """All that a message says."""
    return json.dumps([message.text, list(message.blocks)], ensure_ascii=False).replace("\xa0", " ")


def button_values(message: Message | Shown) -> dict[str, str]:
    """The command line behind each button."""
    return {
        element["text"]["text"]: f"{element['action_id'].split(':')[0]} {element['action_id'].split(':')[1]} "
        f"{element['value']}"
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    }
