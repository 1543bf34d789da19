"""What the routes for answers from other tools take and give, told in OpenAPI. Pure."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from core import standard_webhooks
from core.openapi import KEY, Node, Part, json_reply, parameter, ref, refusals
from feedback.imports.mapping import SOURCES, ImportMap, MappedQuestion
from feedback.wire import ConsentGiven, Reply

THEIRS: Node = {"required": True, "content": {"application/json": {"schema": {}}}}


class ImportReply(Reply, kw_only=True):
    """A batch's reply; `skipped` rows are about other surveys or answer nothing that is mapped."""

    skipped: int


class ImportWish(Struct, kw_only=True):
    """A mapping without its source and survey, which the address names. `secret` signs what their webhook sends."""

    poll: str
    questions: dict[str, MappedQuestion | str]
    facts: dict[str, str] = msgspec.field(default_factory=dict)
    consent: ConsentGiven | None = None
    secret: Annotated[str, Meta(pattern="^whsec_")] | None = None


class KnownImport(ImportMap, kw_only=True):
    has_secret: bool
    made_by: str
    updated_at: str


class Imports(Struct, kw_only=True):
    imports: list[KnownImport]


def part() -> Part:
    """Return what the import routes serve."""
    _, schemas = msgspec.json.schema_components(
        [ImportReply, ImportWish, KnownImport, Imports], ref_template="#/components/schemas/{name}"
    )
    return Part(paths=_paths(), schemas=schemas)


def _paths() -> Node:
    where = [parameter("path", "source", enum=list(SOURCES)), parameter("path", "survey", "Their id of the survey.")]
    taken = json_reply("Every row has its own result.", "ImportReply")
    dry = parameter("query", "dry_run", "1 says what would become of each row and keeps nothing.")
    too_much = {400: "Not JSON.", 413: "Too large.", 415: "An unknown encoding.", 503: "Not now; nothing was stored."}
    signed = [_header(name) for name in (standard_webhooks.ID, standard_webhooks.MOMENT, standard_webhooks.SIGNATURE)]
    return {
        "/v1/imports": {
            "get": {
                "summary": "Surveys of other tools that lead to a poll (sk_… key)",
                "security": KEY,
                "responses": {"200": json_reply("Without their secrets.", "Imports"), **refusals({})},
            }
        },
        "/v1/imports/{source}/{survey}": {
            "put": {
                "summary": "Connect a survey of another tool to a poll (sk_… key)",
                "security": KEY,
                "parameters": where,
                "requestBody": {"required": True, "content": {"application/json": {"schema": ref("ImportWish")}}},
                "responses": {
                    "200": json_reply("As it is kept.", "KnownImport"),
                    **refusals(too_much | {404: "No such tool or poll.", 422: "Every mistake in the mapping."}),
                },
            },
            "post": {
                "summary": "Take rows in the other tool's shape (sk_… key)",
                "security": KEY,
                "parameters": [*where, dry],
                "requestBody": THEIRS,
                "responses": {"200": taken, **refusals(too_much | {404: "Not connected.", 422: "No rows in it."})},
            },
        },
        "/v1/imports/formbricks/{survey}/webhook": {
            "post": {
                "summary": "Formbricks' webhook, signed as in Standard Webhooks",
                "security": [],
                "parameters": [where[1], *signed],
                "requestBody": THEIRS,
                "responses": {"200": taken, **refusals(too_much | {401: "Not signed by it.", 422: "No response."})},
            }
        },
        "/batch": {
            "post": {
                "summary": "Survey events of PostHog's SDKs, with a pk_ key as api_key",
                "security": [*KEY, {}],
                "requestBody": THEIRS,
                "responses": {"200": taken, **refusals(too_much | {422: "No array of events."})},
            }
        },
    }


def _header(name: str) -> dict[str, Any]:
    return parameter("header", name, "As in Standard Webhooks.")
