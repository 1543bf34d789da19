"""Fixtures of feedback: a running poll and a wire to the collector; the same on PostgreSQL where there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from core.db import Control, Databases, Ingest, open_databases
from core.settings import Settings
from tests.builders import ManualClock
from tests.feedback.sending import Wire, a_running_poll

NO_POSTGRES = "needs MUSTER_TEST_POSTGRES_URL=postgresql+psycopg://…, an empty database"


@pytest.fixture
def wire(databases: Databases, settings: Settings, clock: ManualClock) -> Wire:
    with databases.control.begin() as session:
        a_running_poll(session)
    return Wire(databases, settings, clock)


@pytest.fixture
def postgres() -> Iterator[Databases]:
    url = os.environ.get("MUSTER_TEST_POSTGRES_URL")
    if not url:
        pytest.skip(NO_POSTGRES)
    schema = "muster_feedback_tests"
    admin = sa.create_engine(url)
    with admin.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    opened = open_databases(f"{url}?options=-csearch_path%3D{schema}", f"{url}?options=-csearch_path%3D{schema}")
    Control.metadata.create_all(opened.control_engine)
    Ingest.metadata.create_all(opened.ingest_engine)
    yield opened
    opened.dispose()
    with admin.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest) -> Databases:
    """Both kinds of database, one after the other."""
    name = "databases" if request.param == "sqlite" else "postgres"
    found: Databases = request.getfixturevalue(name)
    return found
