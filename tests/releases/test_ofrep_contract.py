"""Schemathesis makes up requests from OFREP's own contract file and holds every answer against it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from core.db import Databases
from tests.releases.builders import register_both, start
from tests.releases.conftest import Keys

CONTRACT = Path(__file__).parents[3] / "shared" / "contracts" / "ofrep-0.3.0.openapi.yaml"
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
ANSWERS = {200, 304, 400, 401, 403, 404, 413, 429}

pytestmark = pytest.mark.skipif(not CONTRACT.exists(), reason=f"the contract is not here: {CONTRACT}")


@pytest.fixture
def operations(flask_app: Flask, databases: Databases) -> list[Any]:
    """Both endpoints as the contract has them, of a server with a live release."""
    with databases.control.begin() as session:
        register_both(session)
        start(session)
    schema = schemathesis.openapi.from_path(CONTRACT)
    schema.app = flask_app
    return [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: f"{mode.value} requests")
def test_whatever_the_contract_allows_or_forbids_is_answered_by_the_contract(
    operations: list[Any], api_keys: Keys, databases: Databases, mode: GenerationMode
) -> None:
    headers = {"Authorization": f"Bearer {api_keys.public}"}
    seen: set[int] = set()

    for operation in operations:

        @settings(max_examples=25, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def each(case: Any) -> None:
            reply = case.call_and_validate(headers=headers, checks=CHECKS)
            seen.add(reply.status_code)

        each()

    assert len(operations) == 2
    assert seen <= ANSWERS
    assert len(seen) > 1
