"""A house that takes in whole histories, for tests of what must be the same in whatever order they come."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from core.db import Databases, Ingest
from core.settings import Settings
from feedback import store
from feedback.fold import fold_some
from feedback.ingest import Collector
from tests.builders import T0

MANY = hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


class House:
    def __init__(self, databases: Databases, settings: Settings) -> None:
        self.databases = databases
        self.collector = Collector(databases, settings)

    def play(self, batches: Iterable[dict[str, Any]], *, fold_rows: int = 3) -> None:
        """Take batches in from an empty house on, and fold them in portions."""
        with self.databases.ingest.begin() as session:
            for table in Ingest.metadata.sorted_tables:
                session.execute(sa.delete(table))
        for number, batch in enumerate(batches):
            assert self.collector.accept_batch(json.dumps(batch).encode(), app="demo", now=T0).rejected == 0
            if number % 4 == 3:
                fold_some(self.databases.ingest, rows=fold_rows)
        store.catch_up(self.databases.ingest)

    def ask(self, question: Any, *values: Any) -> Any:
        """Return what a function finds in a session."""
        with self.databases.ingest() as session:
            return question(session, *values)
