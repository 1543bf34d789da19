"""A workbench for tests: models registered with what belongs to them, people who order, jobs that run when told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from bot import store as bot_store
from bot.answer import Person, handle
from bot.context import Context
from bot.flows import job_card, optimize, registry
from bot.views.blocks import Message
from core.db import reading
from optimize import store
from optimize.fixtures import Fixture
from optimize.store import Job
from releases import registry as files
from releases.artifacts import Artifact
from releases.blobs import Blobs
from tests.bot.slack_rules import accepted
from tests.bot.workspace import DANA, MIA, RELEASES, TOM
from tests.builders import ManualClock
from tests.conftest import JobList


@dataclass(slots=True)
class Bench:
    """Dana is operator, Mia approver, Tom admin. `wall` is real time, which each run lets pass."""

    ctx: Context
    jobs: JobList
    wall: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        with self.ctx.databases.control.begin() as session:
            for person, role in ((DANA, "operator"), (MIA, "approver")):
                bot_store.grant(session, person=person, role=role, model="*", by=TOM, now=self.ctx.clock())

    def register(
        self, model: bytes, version: str = "1.4.0", companions: Mapping[str, bytes] | None = None, *, read: bool = True
    ) -> str:
        """Register a model file; `read` also has it inspected."""
        blobs, beside = Blobs(self.ctx.settings.blob_dir), {}
        with self.ctx.databases.control.begin() as session:
            for role, content in (companions or {}).items():
                beside[role] = self._put(blobs, content)
                files.note_file(
                    session, app="demo", sha256=beside[role], size_bytes=len(content), by="key_ci", now=self.ctx.clock()
                )
            sha256 = self._put(blobs, model)
            artifact = Artifact(sha256=sha256, model="kws", version=version, variant="fp32", size_bytes=len(model))
            files.register(session, artifact, app="demo", by="key_ci", now=self.ctx.clock(), companions=beside)
        if read:
            self.run()
        return sha256

    def register_fixture(self, made: Fixture, version: str = "1.4.0") -> str:
        return self.register(made.model, version, {"eval": made.evaluation, "calib": made.calibration})

    def type(self, person: str, line: str, *, delivery: str | None = None, thread: str | None = None) -> Message:
        message = handle(
            self.ctx, Person(person, person), line, channel=RELEASES, delivery=delivery, thread=thread
        )  # fmt: skip
        accepted(message)
        return message

    def run(self, **others: Callable[..., None]) -> None:
        """Run what waits; between two edits of a card time passes."""
        work: dict[str, Callable[..., None]] = {
            "inspect_artifact": registry.inspect_artifact,
            "optimize": optimize.optimize,
            "show_job": self._show,
        }
        self.jobs.run(self.ctx, work | others)

    def _show(self, ctx: Context, ref: str) -> None:
        self.wall.advance(seconds=30)
        partial(job_card.show_job, wall=self.wall)(ctx, ref)

    def job(self, ref: str = "J1") -> Job:
        with reading(self.ctx.databases.control) as session:
            return store.load(session, ref, app="demo")

    def _put(self, blobs: Blobs, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        blobs.put([content], sha256=sha256, max_bytes=len(content))
        return sha256
