"""Fixtures of feedback: a running poll, and a collector, called or behind a wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.db import Databases
from core.settings import Settings
from feedback.ingest import Collector
from tests.builders import ManualClock, some_settings
from tests.feedback.sending import Wire, a_running_poll


@pytest.fixture
def wire(databases: Databases, settings: Settings, clock: ManualClock) -> Wire:
    with databases.control.begin() as session:
        a_running_poll(session)
    return Wire(databases, settings, clock)


@pytest.fixture
def collector(either: Databases, tmp_path: Path) -> Collector:
    with either.control.begin() as session:
        a_running_poll(session)
    return Collector(either, some_settings(tmp_path))


@pytest.fixture
def either(databases: Databases) -> Databases:
    """Either kind of database: `make test` brings SQLite, `make test-postgres` PostgreSQL."""
    return databases
