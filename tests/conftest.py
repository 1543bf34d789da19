"""Fixtures: real databases (a migrated template, copied), a clock that stands, jobs that wait to be run.

Databases are SQLite files, or PostgreSQL's where MUSTER_TEST_POSTGRES_URL names a server.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from sqlalchemy import event, make_url
from sqlalchemy.orm import Session
from werkzeug.test import Client

import migrations.run
from core.db import Databases, open_databases
from core.errors import UpstreamError
from core.settings import Settings
from tests import postgres
from tests.builders import ManualClock, some_settings

if TYPE_CHECKING:
    from optimize.fixtures import Fixture
    from tests.serving import Served

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# A busy machine must not decide whether a test passes.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both databases as `muster db upgrade` makes them."""
    folder = tmp_path_factory.mktemp("template")
    migrations.run.upgrade(some_settings(folder))
    return folder


@pytest.fixture(scope="session")
def postgres_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """The name of a database as `muster db upgrade` makes it, where there is a PostgreSQL server."""
    server = postgres.server_url()
    if server is None:
        yield None
        return
    with postgres.new_database(server) as url:
        migrations.run.upgrade(some_settings(tmp_path_factory.mktemp("template"), database_url=url))
        yield make_url(url).database


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """The whole web process on loopback."""
    from tests.serving import open_served  # what it imports, few tests need

    with open_served(request) as one:
        yield one


@pytest.fixture
def document(served: Served) -> dict[str, Any]:
    """The OpenAPI document as it is served."""
    told = Client(served.app).get("/openapi.json").get_json()
    assert isinstance(told, dict)
    return told


@pytest.fixture(scope="session")
def tiny() -> Fixture:
    """A convolution and two Gemm on 1×6×6 pictures: milliseconds to make and run."""
    from tests.optimize.builders import tiny_fixture  # numpy and ONNX

    return tiny_fixture()


@pytest.fixture
def settings(postgres_template: str | None, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    server = postgres.server_url()
    if server is not None and postgres_template is not None:
        with postgres.new_database(server, template=postgres_template) as url:
            yield some_settings(tmp_path, database_url=url)
        return
    template: Path = request.getfixturevalue("template")
    for name in ("control.db", "ingest.db"):
        shutil.copy(template / name, tmp_path / name)
    yield some_settings(tmp_path)


@pytest.fixture
def empty_settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings for databases without a table."""
    server = postgres.server_url()
    if server is None:
        yield some_settings(tmp_path)
        return
    with postgres.new_database(server) as url:
        yield some_settings(tmp_path, database_url=url)


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
