"""The whole tour on PostgreSQL: web, worker and bot share one database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox import scenario, tour
from tests import postgres

pytestmark = [
    pytest.mark.slow,
    # The demo ends with its process and leaves its own clients' connections to that.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_the_tour_holds_every_expectation_on_postgresql(tmp_path: Path) -> None:
    server = postgres.server_url()
    if server is None:
        pytest.skip("needs a PostgreSQL server: `make test-postgres`")
    path = tmp_path / "facts.json"

    with postgres.new_database(server) as url:
        status = tour.play_alone(scenario.load(scenario.FOLDER / "tour.yaml"), path, {"MUSTER_DATABASE_URL": url})

    facts = json.loads(path.read_text())
    assert facts["failures"] == []
    assert status == 0
    assert facts["answers"]["stored"] == facts["answers"]["accepted"] > 1000
    assert len(facts["tickets"]) == 1
