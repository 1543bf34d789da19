"""Requests made up from the served OpenAPI document, right and wrong ones, and what was wrong with the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks

from tests.serving import Served

CHECKS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance, checks.negative_data_rejection,
    checks.ignored_auth, checks.unsupported_method, checks.allow_header_conformance, checks.missing_required_header,
]  # fmt: skip
# Refused item by item: 200 says that the batch came, and `results` what became of each.
TOLD_BY_ITEM = "/v1/batch"
EXAMPLES = 40
NOT_READY = "/readyz"  # 503 without a worker is its answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to send to. `known` are names of what is there, put in the place of half of those that are made up."""

    url: str
    key: str
    known: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One operation with right (positive) or wrong (negative) requests; `trouble` is None if every answer was right."""

    operation: str
    mode: str
    requests: int
    trouble: str | None


def trouble(served: Served) -> list[str]:
    """Return what was wrong with any answer, by operation."""
    target = Target(url=served.url, key=served.secret, known={})
    told = rounds(target, examples=EXAMPLES, number=0, leave_out=(NOT_READY,))
    return [f"{each.operation} ({each.mode}): {each.trouble}" for each in told if each.trouble]


def rounds(target: Target, *, examples: int, number: int, leave_out: tuple[str, ...] = ()) -> Iterator[Tried]:
    """Try every operation once with each mode; the same number sends the same."""
    schema = schemathesis.openapi.from_url(f"{target.url}/openapi.json")
    schema.config.base_url = target.url
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]  # an Err raises, which says why
        if operation.path not in leave_out:
            for mode in GenerationMode:
                yield _try(target, operation, mode, examples=examples, number=number)


def _try(target: Target, operation: Any, mode: GenerationMode, *, examples: int, number: int) -> Tried:
    sent = 0
    looked_at = [check for check in CHECKS if _applies(check, operation)]

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), drawn=st.data())
    def each(case: Any, drawn: st.DataObject) -> None:
        nonlocal sent
        sent += 1
        if mode is GenerationMode.POSITIVE and target.known and drawn.draw(st.booleans()):
            for part in (case.path_parameters, case.query, case.body):
                _name_known(part, target.known, drawn)
        headers = {"Authorization": f"Bearer {target.key}"}
        case.call_and_validate(base_url=target.url, headers=headers, checks=looked_at)

    said = None
    try:
        each()
    except Unsatisfiable:  # nothing can be wrong with a request that has no parameters
        pass
    except (AssertionError, BaseExceptionGroup) as error:
        said = str(error)
    return Tried(operation=f"{operation.method.upper()} {operation.path}", mode=mode.value, requests=sent, trouble=said)


def _applies(check: Any, operation: Any) -> bool:
    return check is not checks.negative_data_rejection or operation.path != TOLD_BY_ITEM


def _name_known(part: Any, known: Mapping[str, tuple[str, ...]], drawn: st.DataObject) -> None:
    if isinstance(part, dict):
        for name in part.keys() & known.keys():
            part[name] = drawn.draw(st.sampled_from(known[name]))
