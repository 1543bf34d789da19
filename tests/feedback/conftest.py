"""Fixtures of feedback: a running poll and a wire to the collector."""

from __future__ import annotations

import pytest

from core.db import Databases
from core.settings import Settings
from tests.builders import ManualClock
from tests.feedback.sending import Wire, a_running_poll


@pytest.fixture
def wire(databases: Databases, settings: Settings, clock: ManualClock) -> Wire:
    with databases.control.begin() as session:
        a_running_poll(session)
    return Wire(databases, settings, clock)


@pytest.fixture
def either(databases: Databases) -> Databases:
    """Either kind of database: `make test` brings SQLite, `make test-postgres` PostgreSQL."""
    return databases
