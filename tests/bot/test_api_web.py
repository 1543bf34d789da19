"""The page about the HTTP API says what the document says, all of it, and asks nobody else for anything."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.test import Client

from bot.views import api
from tests.serving import Served


def test_every_route_and_every_shape_is_on_the_page_and_every_link_leads_somewhere(
    served: Served, document: dict[str, Any]
) -> None:
    page = Client(served.app).get("/docs").text

    routes = {(method.upper(), path) for path, each in document["paths"].items() for method in each}
    shown = set(re.findall(r'<h2><span class="method \w+">(\w+)</span> <code>([^<]+)</code></h2>', page))
    assert shown == routes
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(document["components"]["schemas"]) <= anchors
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
    for each in document["paths"]["/v1/polls"].values():
        assert each["summary"] in page


def test_the_page_asks_nobody_else_for_anything(served: Served) -> None:
    reply = Client(served.app).get("/docs")

    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert not re.search(r"<(script|img|link|iframe)|@import|url\(|https?://", reply.text)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        pytest.param({"type": "string", "minLength": 1, "maxLength": 80}, "string of 1 to 80", id="text"),
        pytest.param({"type": "integer", "minimum": 0, "maximum": 9}, "integer 0 to 9", id="number"),
        pytest.param({"enum": ["a", "b"]}, "a · b", id="some words"),
        pytest.param({"type": "array", "items": {"$ref": "#/x/Event"}}, "list of Event", id="list"),
        pytest.param({"anyOf": [{"$ref": "#/x/Event"}, {"type": "null"}]}, "Event or null", id="or nothing"),
        pytest.param({"type": "object", "additionalProperties": {"type": "null"}}, "mapping to null", id="mapping"),
    ],
)  # fmt: skip
def test_a_schema_is_said_in_few_words(schema: dict[str, Any], words: str) -> None:
    assert api.kind(schema).words == words
