"""The OpenAPI 3.1 document of the collector, generated from the structs that requests are read with. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.device import FIELDS
from feedback.bundle import SIGNATURE_HEADER
from feedback.wire import Batch, Bundle, Refusal, Reply, Response

INSTALL_HEADER: Final = "X-Muster-Install"
KEY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}]


def document(*, public_url: str, bundle_key: str) -> dict[str, Any]:
    """Return the document. `bundle_key` is what apps pin to check the bundle's signature."""
    _, schemas = msgspec.json.schema_components(
        [Batch, Response, Reply, Refusal, Bundle], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Muster collector",
            "version": "1",
            "description": "What phones send and fetch. Send again until answered: every uuid is stored once.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "x-muster-bundle-key": {"algorithm": "ed25519", "public": bundle_key},
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "pk_… in the app, sk_… elsewhere."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1/batch": {"post": _post("Batch", "Send a whole offline session", {})},
        "/v1/responses": {
            "post": _post("Response", "Send one response", {"422": _json("It was rejected; says why.", "Reply")})
        },
        "/v1/polls": {"get": _polls()},
        "/v1/polls/{id}/explain": {"get": _explain()},
        "/v1/installs/me": {
            "get": _install("Everything kept about this install", {"200": _json("The rows.", None)}),
            "delete": _install("Erase everything kept about this install", {"204": {"description": "It is gone."}}),
        },
    }


def _post(schema: str, summary: str, more: dict[str, Any]) -> dict[str, Any]:
    later = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}
    encoding = {
        "name": "Content-Encoding",
        "in": "header",
        "schema": {"enum": ["gzip", "zstd", "identity"]},
    }
    return {
        "summary": summary,
        "security": KEY,
        "parameters": [encoding],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(schema)}}},
        "responses": {
            "200": _json("Stored durably. Every item has its own result.", "Reply"),
            "400": _json("Not JSON, or not of this shape.", "Refusal"),
            "413": _json("Too large, as sent or inflated.", "Refusal"),
            "415": _json("An encoding that is not understood.", "Refusal"),
            "429": _json("Too fast.", "Refusal") | {"headers": later},
            "503": _json("Not now; nothing was stored.", "Refusal") | {"headers": later},
            **_refused(),
            **more,
        },
    }


def _polls() -> dict[str, Any]:
    signature = {"schema": {"type": "string"}, "description": "ed25519=<base64> over the bytes of the body."}
    found = _json("The running polls, to be judged offline until `not_after`.", "Bundle")
    return {
        "summary": "Fetch the running polls",
        "security": KEY,
        "parameters": [
            {"name": "app", "in": "query", "schema": {"type": "string"}, "description": "The key's own app."},
            {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
        ],
        "responses": {
            "200": found | {"headers": {SIGNATURE_HEADER: signature, "ETag": {"schema": {"type": "string"}}}},
            "304": {"description": "Unchanged."},
            **_refused(),
        },
    }


def _explain() -> dict[str, Any]:
    facts = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in FIELDS]
    path = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "summary": "Why an install does or does not see a poll, gate by gate (sk_… key)",
        "security": KEY,
        "parameters": [path, _install_header(), *facts],
        "responses": {
            "200": _json("The gates.", None),
            "404": _json("No such poll.", "Refusal"),
            "422": _json("The install's id is missing.", "Refusal"),
            **_refused(),
        },
    }


def _install(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    missing = {"422": _json("The install's id is missing.", "Refusal")}
    return {
        "summary": summary,
        "security": KEY,
        "parameters": [_install_header()],
        "responses": {**responses, **missing, **_refused()},
    }


def _install_header() -> dict[str, Any]:
    about = "The raw install id, which only the phone knows: it is the credential."
    return {
        "name": INSTALL_HEADER,
        "in": "header",
        "required": True,
        "schema": {"type": "string", "minLength": 4, "maxLength": 200},
        "description": about,
    }


def _refused() -> dict[str, Any]:
    return {"401": _json("No valid API key.", "Refusal"), "403": _json("Not with this key.", "Refusal")}


def _json(description: str, schema: str | None) -> dict[str, Any]:
    kind = _ref(schema) if schema else {"type": "object"}
    return {"description": description, "content": {"application/json": {"schema": kind}}}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
