"""What the releases' routes serve, told in OpenAPI. The schemas are of what is answered; OFREP's are OFREP's. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from core.openapi import KEY, RETRY_AFTER, Node, Part, json_reply, parameter, ref, refusals
from releases.forecast_report import ForecastReport
from releases.plan_words import LONGEST_WORD, PLAN_WORDS

BYTES: Final[Node] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
STREAM: Final[Node] = {"type": "string", "description": 'data: {"type": "refetchEvaluation", "etag": "41"}'}
STATED: Final = {
    "variant": "Such as int8; default when left out.",
    "runtime": "Such as tflite-2.16.",
    "min_app": "Least version of the app.",
    "min_os": 'A version, or a platform and a version such as "android 12".',
    "min_ram_gb": "Such as 3 or 1.5.",
    "accelerators": "Comma-separated; any when left out.",
    "baseline": "true: offered to everybody until a release replaces it.",
}


class ArtifactFacts(Struct, kw_only=True):
    """One immutable model file and the limits within which it runs."""

    sha256: str
    model: str
    version: str
    variant: str
    size_bytes: int
    runtime: str | None
    min_app: str | None
    min_os: str | None
    min_ram_gb: float | None
    accelerators: list[str]
    baseline: bool
    quarantined: bool
    url: str


class OpenRelease(Struct, kw_only=True):
    id: str
    name: str
    version: str
    state: str
    percent: float


class ModelReport(Struct, kw_only=True):
    """`baseline` is the version that phones run, null before there is one."""

    model: str
    baseline: str | None
    artifacts: list[ArtifactFacts]
    releases: list[OpenRelease]


class ModelList(Struct, kw_only=True):
    models: list[ModelReport]


class ReleaseEvent(Struct, kw_only=True):
    at: datetime
    what: str
    who: str
    reason: str | None
    state: str | None


class ReleaseReport(Struct, kw_only=True):
    """Where a release is and how it got there; `plan` is in the words of `/muster release start`. `outcome` is what a
    pipeline that waits has to know; `stopped` are cohorts that are halted or rolled back alone; `forecast` comes with a
    proposal."""

    id: str
    name: str
    model: str
    baseline: str
    candidate: str
    plan: str
    plan_hash: str
    state: str
    outcome: Literal["waiting", "running", "stopped", "done", "failed"]
    stopped: list[str]
    percent: float
    since: datetime
    reason: str | None
    revision: int
    history: list[ReleaseEvent]
    forecast: ForecastReport | None = None


class ReleaseList(Struct, kw_only=True):
    releases: list[ReleaseReport]


class OfferMetadata(Struct, kw_only=True, omit_defaults=True):
    """A phone echoes `release` and `arm` in `context.model` of its batches."""

    arm: Literal["baseline", "candidate", "none"]
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
    """Return what the releases' routes serve."""
    kinds = [ArtifactFacts, ModelReport, ModelList, ReleaseReport, ReleaseList, Evaluation, Evaluations,
             EvaluationFailure]  # fmt: skip
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    context = {
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
    return Part(paths=_paths(), schemas={**schemas, "EvaluationContext": context})


def _paths() -> Node:
    ref_path = parameter("path", "ref", "R12 or rel_….")
    return {
        "/v1/artifacts/{sha256}": {"put": _register(), "get": _fetch()},
        "/v1/models": {"get": _read("List models with their artifacts and open releases", "ModelList")},
        "/v1/models/{name}": {"get": _read("One model", "ModelReport", parameter("path", "name"), missing=True)},
        "/v1/releases": {
            "get": _read("The newest releases, at most fifty", "ReleaseList", parameter("query", "model")),
            "post": _propose(),
        },
        "/v1/releases/{ref}": {"get": _read("One release and its history", "ReleaseReport", ref_path, missing=True)},
        "/ofrep/v1/events/{app}": {"get": _events()},
        "/ofrep/v1/evaluate/flags": {"post": _evaluate("Evaluations", "Which variant of each model to run")},
        "/ofrep/v1/evaluate/flags/{key}": {"post": _evaluate("Evaluation", "Which variant of one model to run")},
    }


def _register() -> Node:
    needed = [parameter("query", name) | {"required": True} for name in ("model", "version")]
    stated = [parameter("query", name, about) for name, about in STATED.items()]
    why = {
        409: "The file, its name or the model's baseline is taken.",
        413: "Too large.",
        422: "Every mistake in what is stated; or the bytes have another digest.",
    }
    return {
        "summary": "Register a model file (sk_… key); the same again changes nothing",
        "security": KEY,
        "parameters": [_digest(), *needed, *stated],
        "requestBody": {"required": True, "content": BYTES},
        "responses": {
            "200": json_reply("It was registered already.", "ArtifactFacts"),
            "201": json_reply("It is registered.", "ArtifactFacts"),
            **refusals(why),
        },
    }


def _propose() -> Node:
    words: Node = {
        name: {"type": "string", "maxLength": LONGEST_WORD} for name in ("model", "version", *PLAN_WORDS, "reason")
    }
    body = {"type": "object", "required": ["model", "version"], "properties": words, "additionalProperties": False}
    return {
        "summary": "Propose a release (sk_… key); people approve it in Slack",
        "security": KEY,
        "parameters": [parameter("query", "dry_run", "1: tell what would be proposed, and keep nothing.")],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": json_reply("It is proposed already, or was only rehearsed.", "ReleaseReport"),
            "201": json_reply("It is proposed.", "ReleaseReport"),
            **refusals({409: "The model's slot is taken.", 413: "Too large.", 422: "Every mistake in it."}),
        },
    }


def _fetch() -> Node:
    why = {404: "No such file.", 410: "It was rolled back, and phones do not get it again."}
    return {
        "summary": "Fetch a model file, whole or from a byte on",
        "security": KEY,
        "parameters": [_digest(), parameter("header", "Range"), parameter("header", "If-None-Match")],
        "responses": {
            "200": {"description": "The file.", "content": BYTES},
            "206": {"description": "The bytes asked for.", "content": BYTES},
            "304": {"description": "You have it."},
            **refusals(why | {416: "It has no such bytes."}),
        },
    }


def _read(summary: str, schema: str, *parameters: Node, missing: bool = False) -> Node:
    return {
        "summary": f"{summary} (sk_… key)",
        "security": KEY,
        "parameters": list(parameters),
        "responses": {"200": json_reply("Found.", schema), **refusals({404: "There is none."} if missing else {})},
    }


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
        "summary": "OFREP: a stream of events, one for each change; its signed address is in `eventStreams`",
        "security": [],
        "parameters": [parameter("path", "app"), parameter("query", "until"), parameter("query", "sig")],
        "responses": {
            "200": {"description": "Events as they come.", "content": {"text/event-stream": {"schema": STREAM}}},
            **{status: reply for status, reply in refusals({503: "All streams are taken."}).items() if status != "401"},
        },
    }


def _digest() -> Node:
    return parameter("path", "sha256", pattern="^[0-9a-f]{64}$")
