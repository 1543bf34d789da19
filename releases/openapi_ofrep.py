"""What phones ask by OFREP, told in OpenAPI; the schemas are OFREP's. Pure."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from core.arms import OfferedArm
from core.openapi import KEY, RETRY_AFTER, Node, Part, json_reply, parameter, ref, refusals

STREAM: Final[Node] = {"type": "string", "description": 'data: {"type": "refetchEvaluation", "etag": "41"}'}
CONTEXT: Final[Node] = {
    "type": "object",
    "required": ["context"],
    "properties": {
        "context": {
            "type": "object",
            "required": ["targetingKey"],
            "properties": {"targetingKey": {"type": "string", "minLength": 1, "maxLength": 256}},
        }
    },
}


class OfferMetadata(Struct, kw_only=True, omit_defaults=True):
    """A phone echoes `release` and `arm` in `context.model` of its batches."""

    arm: OfferedArm
    why: str
    release: str = ""
    runs: Literal["device", "cloud", "bundled"] = "device"
    max_per_minute: int | None = None


class Evaluation(Struct, kw_only=True):
    """OFREP's success. An empty `value`: run the model that the app was built with."""

    key: str
    value: dict[str, Any]
    variant: str
    reason: str
    metadata: OfferMetadata


class Evaluations(Struct, kw_only=True, omit_defaults=True):
    """`eventStreams` is told to keys that may keep a stream open."""

    flags: list[Evaluation]
    eventStreams: list[dict[str, Any]] = []  # noqa: N815 (OFREP's word)


class EvaluationFailure(Struct, kw_only=True, omit_defaults=True):
    errorCode: str  # noqa: N815 (OFREP's word)
    errorDetails: str  # noqa: N815 (OFREP's word)
    key: str = ""


def part() -> Part:
    """Return what the OFREP routes serve."""
    kinds = [Evaluation, Evaluations, EvaluationFailure]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    paths = {
        "/ofrep/v1/events/{app}": {"get": _events()},
        "/ofrep/v1/evaluate/flags": {"post": _evaluate("Evaluations", "Which variant of each model to run")},
        "/ofrep/v1/evaluate/flags/{key}": {"post": _evaluate("Evaluation", "Which variant of one model to run")},
    }
    return Part(paths=paths, schemas={**schemas, "EvaluationContext": CONTEXT})


def _evaluate(schema: str, summary: str) -> Node:
    failed = {
        400: "Its context cannot be read.",
        401: "No valid API key.",
        404: "There is no such model.",
        413: "Too large.",
        429: "Too fast.",
    }
    is_one = schema == "Evaluation"
    responses: Node = {"200": json_reply("What to run.", schema)}
    for status, text in failed.items():
        if is_one or status != 404:
            responses[str(status)] = json_reply(text, "EvaluationFailure")
    responses["429"] |= {"headers": RETRY_AFTER}
    if not is_one:
        responses |= {"304": {"description": "Unchanged for this context."}}
    parameters = (
        [parameter("path", "key")]
        if is_one
        else [parameter("header", "If-None-Match"), parameter("query", "flagConfigEtag", "What an event told.")]
    )
    return {
        "summary": f"OFREP: {summary[0].lower()}{summary[1:]}",
        "security": KEY,
        "parameters": parameters,
        "requestBody": {"required": True, "content": {"application/json": {"schema": ref("EvaluationContext")}}},
        "responses": responses,
    }


def _events() -> Node:
    return {
        "summary": "OFREP: a stream of events, one for each change; its signed address is in eventStreams",
        "security": [],
        "parameters": [parameter("path", "app"), parameter("query", "until"), parameter("query", "sig")],
        "responses": {
            "200": {"description": "Events as they come.", "content": {"text/event-stream": {"schema": STREAM}}},
            **{status: reply for status, reply in refusals({503: "All streams are taken."}).items() if status != "401"},
        },
    }
