"""The served OpenAPI document: valid, complete, and what the service answers to whatever is sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import wsgi
from tests.serving import Served

# What no client of ours calls by itself: Slack does, a browser does, and the document does not describe itself.
NO_API = {
    "/slack/events",
    "/digests/<digest_id>",
    "/jobs/<ref>",
    "/priorities/<list_id>",
    "/polls/<poll_id>/preview",
    "/glossary",
    "/jira/webhook",
    "/mail/stop/<code>",
    "/openapi.json",
    "/docs",
    "/metrics",
    "/static/<path:filename>",
}


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_is_in_the_document_and_nothing_else(document: dict[str, Any], served: Served) -> None:
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    routes = {(method, path) for method, path in served.routes() if path not in NO_API}

    assert {(method, _unnamed(path)) for method, path in routes} == {(way, _unnamed(path)) for way, path in described}


def test_the_document_names_the_key_that_phones_pin(document: dict[str, Any], served: Served) -> None:
    assert document["x-muster-bundle-key"] == wsgi.describe(served.settings)["x-muster-bundle-key"]
    assert document["servers"] == [{"url": served.settings.public_url}]


@pytest.mark.slow
def test_whatever_is_sent_is_answered_as_the_document_says(served: Served) -> None:
    """Schemathesis makes up requests from the document, right and wrong ones, and looks at every answer."""
    pytest.importorskip("schemathesis")
    from tests.fuzzing import trouble

    assert trouble(served) == []


def _unnamed(path: str) -> str:
    """Return a path with its parameters' names left out: rooms and OpenAPI name them differently."""
    return re.sub(r"[<{][^>}]*[>}]", "{}", path)
