"""Fixtures: real databases (a migrated template, copied), a clock that stands, jobs that wait to be run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

import migrations.run
from core.db import Databases, open_databases
from core.errors import UpstreamError
from core.settings import Settings
from tests.builders import ManualClock, some_settings

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both databases as `muster db upgrade` makes them."""
    folder = tmp_path_factory.mktemp("template")
    migrations.run.upgrade(some_settings(folder))
    return folder


@pytest.fixture
def settings(template: Path, tmp_path: Path) -> Settings:
    for name in ("control.db", "ingest.db"):
        shutil.copy(template / name, tmp_path / name)
    return some_settings(tmp_path)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedJob:
    job: str
    key: str
    attempt: int
    after: timedelta
    ids: Mapping[str, str]


@dataclass(slots=True)
class JobList:
    """Jobs as they were committed; a key that was seen is not recorded again."""

    waiting: list[RecordedJob] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    failed: list[tuple[RecordedJob, Exception]] = field(default_factory=list)

    def put(
        self, session: Session, job: str, *, key: str, attempt: int, after: timedelta | None, ids: Mapping[str, str]
    ) -> None:
        one = RecordedJob(job=job, key=key, attempt=attempt, after=after or timedelta(), ids=dict(ids))

        def committed(_session: Session) -> None:
            if (name := f"{key}~{attempt}") not in self.seen:
                self.seen.add(name)
                self.waiting.append(one)

        event.listen(session, "after_commit", committed, once=True)

    def names(self) -> list[str]:
        return [job.job for job in self.waiting]

    def run(self, ctx: object, functions: Mapping[str, Callable[..., None]]) -> None:
        """Run what waits, and what that asks for; a passing UpstreamError puts the job back at the end, once a call."""
        again: list[RecordedJob] = []
        while self.waiting:
            job = self.waiting.pop(0)
            try:
                functions[job.job](ctx, **job.ids)
            except UpstreamError as error:
                if error.permanent:
                    self.failed.append((job, error))
                else:
                    again.append(job)
        self.waiting = again


@pytest.fixture
def jobs() -> JobList:
    return JobList()


@pytest.fixture
def databases(settings: Settings, jobs: JobList) -> Iterator[Databases]:
    opened = open_databases(settings.database_url, settings.ingest_database_url)
    opened.control.configure(info={"queue": jobs})
    yield opened
    opened.dispose()


@pytest.fixture
def now(clock: ManualClock) -> datetime:
    return clock()
