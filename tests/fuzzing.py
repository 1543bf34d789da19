"""Requests made up from the served OpenAPI document, right and wrong ones, and what was wrong with the answers."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serving import Served

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 40
NOT_READY = "/readyz"  # 503 without a worker is its answer


def trouble(served: Served) -> list[str]:
    """Return what was wrong with any answer, by operation."""
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    schema.config.base_url = served.url
    found: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]  # an Err raises, which says why
        if operation.path != NOT_READY:
            for mode in GenerationMode:
                found += _trouble(served, operation, mode)
    return found


def _trouble(served: Served, operation: Any, mode: GenerationMode) -> list[str]:
    headers = {"Authorization": f"Bearer {served.secret}"}

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Any) -> None:
        case.call_and_validate(base_url=served.url, headers=headers, checks=CHECKS)

    try:
        each()
    except Unsatisfiable:  # nothing can be wrong with a request that has no parameters
        return []
    except (AssertionError, BaseExceptionGroup) as error:
        return [f"{operation.method.upper()} {operation.path} ({mode.value}): {error}"]
    return []
