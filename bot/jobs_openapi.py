"""What the jobs' routes serve, told in OpenAPI. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from core.openapi import KEY, Node, Part, json_reply, parameter, reads, refusals

LONGEST_WORD: Final = 500
WORDS: Final = {
    "model": "Its name.",
    "version": "Of the model.",
    "recipe": "auto, or steps such as prune50,int8; auto when left out.",
    "budget": "Limits such as size<4MB accuracy>-1pt.",
    "variant": "Which file, where a version has several.",
    "cpu": "Most seconds of one processor, such as 120s.",
    "runtime": "What the app runs models with, such as onnxruntime 1.30.",
}


class Job(Struct, kw_only=True):
    """An optimization, or a comparison of two files. `result.card` is the report card with all its fields."""

    name: str
    kind: str
    model: str
    version: str
    variant: str
    parent: str
    other: str | None
    recipe: str
    budget: str
    state: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cancelled_by: str | None
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    registered_as: str | None
    url: str


class JobList(Struct, kw_only=True):
    jobs: list[Job]


def part() -> Part:
    """Return what the jobs' routes serve."""
    _, schemas = msgspec.json.schema_components([Job, JobList], ref_template="#/components/schemas/{name}")
    ref_path = parameter("path", "ref", "J7.")
    return Part(
        paths={
            "/v1/jobs": {
                "get": reads("The newest jobs, at most twenty", "JobList", parameter("query", "model")),
                "post": _order(),
            },
            "/v1/jobs/{ref}": {"get": reads("One job and its report card", "Job", ref_path, missing=True)},
        },
        schemas=schemas,
    )


def _order() -> Node:
    words: Node = {
        name: {"type": "string", "maxLength": LONGEST_WORD, "description": told} for name, told in WORDS.items()
    }
    body = {"type": "object", "required": ["model", "version"], "properties": words, "additionalProperties": False}
    why = {
        404: "There is no such model or version.",
        409: "The key is of an app for which nothing is optimized here.",
        413: "Too large.",
        422: "Every mistake in it.",
    }
    return {
        "summary": "Order an optimization (sk_… key)",
        "security": KEY,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": json_reply("This key ordered the same before, and it has not ended.", "Job"),
            "201": json_reply("It is ordered.", "Job"),
            **refusals(why),
        },
    }
