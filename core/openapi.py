"""The one OpenAPI 3.1 document, put together from what each room says about its own routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response, jsonify

Node = dict[str, Any]

KEY: Final[list[Node]] = [{"bearer": []}, {"apiKey": []}]
RETRY_AFTER: Final[Node] = {
    "Retry-After": {"schema": {"type": "integer", "minimum": 1}, "required": True, "description": "Whole seconds."}
}
REFUSAL: Final[Node] = {
    "title": "Refusal",
    "description": "Why a whole request was refused.",
    "type": "object",
    "required": ["error", "problems"],
    "properties": {
        "error": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {
                    "path": {"type": "string"},
                    "message": {"type": "string"},
                    "line": {"type": "integer", "description": "Of the file, where the body was one."},
                },
            },
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one room serves: paths as OpenAPI has them, and the schemas they refer to."""

    paths: Mapping[str, Node]
    schemas: Mapping[str, Node]


def compose(parts: Sequence[Part], *, public_url: str, **extensions: Node) -> Node:
    """Return the document; `extensions` become its `x-…` fields, `bundle_key` as `x-muster-bundle-key`.

    Raises: ValueError: two rooms tell of the same operation, or of different schemas by the same name.
    """
    paths: dict[str, Node] = {}
    schemas: dict[str, Node] = {"Refusal": REFUSAL}
    for part in parts:
        for path, operations in part.paths.items():
            if twice := paths.get(path, {}).keys() & operations.keys():
                raise ValueError(f"{path} is described twice: {', '.join(sorted(twice))}")
            paths[path] = paths.get(path, {}) | operations
        for name, schema in part.schemas.items():
            if schemas.setdefault(name, schema) != schema:
                raise ValueError(f"two schemas are called {name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Muster",
            "version": "1",
            "description": "What phones, pipelines and dashboards send and fetch; docs/http-api.md shows each.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        **{f"x-muster-{name.replace('_', '-')}": value for name, value in extensions.items()},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "pk_… in the app, sk_… elsewhere."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def blueprint(document: Node) -> Blueprint:
    routes = Blueprint("openapi", __name__)

    @routes.get("/openapi.json")
    def _openapi() -> Response:
        return jsonify(document)

    return routes


def json_reply(description: str, schema: str | None) -> Node:
    """Return a response of this schema; None is any object."""
    return {"description": description, "content": {"application/json": {"schema": ref(schema) if schema else ANY}}}


def ref(schema: str) -> Node:
    return {"$ref": f"#/components/schemas/{schema}"}


def refusals(words: Mapping[int, str]) -> Node:
    """Return the responses that refuse, each with its reason; 401 and 403 always, 429 and 503 with Retry-After."""
    told = {401: "No valid API key.", 403: "Not with this key.", **words}
    return {
        str(status): json_reply(text, "Refusal") | ({"headers": RETRY_AFTER} if status in (429, 503) else {})
        for status, text in sorted(told.items())
    }


def reads(summary: str, schema: str, *parameters: Node, missing: bool = False) -> Node:
    """Return what a pipeline reads with its key; `missing`: there may be none."""
    return {
        "summary": f"{summary} (sk_… key)",
        "security": KEY,
        "parameters": list(parameters),
        "responses": {"200": json_reply("Found.", schema), **refusals({404: "There is none."} if missing else {})},
    }


def parameter(place: str, name: str, description: str | None = None, **schema: Any) -> Node:
    """Return a parameter of text, needed where it stands in the path."""
    found: Node = {"name": name, "in": place, "schema": {"type": "string", **schema}}
    if place == "path":
        found["required"] = True
    return found | ({"description": description} if description else {})


ANY: Final[Node] = {"type": "object"}
IS_READY: Final[Node] = {"200": json_reply("Ready.", "Ready"), "503": json_reply("Not yet.", "Ready")}
HEALTH: Final = Part(
    paths={
        "/healthz": {"get": {"summary": "Alive", "responses": {"200": json_reply("Alive.", "Alive")}}},
        "/readyz": {"get": {"summary": "Databases, tables and a worker are there", "responses": IS_READY}},
    },
    schemas={
        "Alive": {"type": "object", "required": ["alive"], "properties": {"alive": {"const": True}}},
        "Ready": {"type": "object", "required": ["database", "schema", "worker"],
                  "additionalProperties": {"type": "boolean"}},
    },
)  # fmt: skip
