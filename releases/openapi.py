"""What the releases' routes serve, told in OpenAPI. The schemas are of what is answered. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from core.openapi import KEY, Node, Part, json_reply, parameter, reads, refusals
from releases.forecast_report import ForecastReport
from releases.plan_words import LONGEST_WORD, PROPOSAL_WORDS

BYTES: Final[Node] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
STATED: Final = {
    "variant": "Such as int8; default when left out.",
    "runtime": "Such as tflite-2.16.",
    "min_app": "Least version of the app.",
    "min_os": 'A version, or a platform and a version such as "android 12".',
    "min_ram_gb": "Such as 3 or 1.5.",
    "accelerators": "Comma-separated; any when left out.",
    "baseline": "true: offered to everybody, once it was read, until a release replaces it.",
    "unread": "true: the app can read it, even if Muster cannot; it need not be read first.",
    "eval": "Digest of an uploaded npz with inputs x and labels y to judge by.",
    "calib": "Digest of an uploaded npz with inputs x to calibrate by.",
    "train_script": "Digest of an uploaded training script.",
    "trained": "The day of the newest data it was trained on, such as 2026-09-01.",
}


class CompanionFacts(Struct, kw_only=True):
    """A file beside an artifact: inputs to judge (`eval`) or calibrate (`calib`) by, or a `train_script`. `facts` is
    what was read from it; null while it is read, and for good when `refused` says why."""

    role: str
    sha256: str
    size_bytes: int
    facts: dict[str, Any] | None
    refused: str | None


class ArtifactFacts(Struct, kw_only=True):
    """One immutable model file and the limits within which it runs. `needs` was read from the file itself; `made_from`
    is the digest of its parent, `made_by` the recipe."""

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
    made_from: str | None
    made_by: str | None
    needs: dict[str, Any] | None
    refused: str | None
    companions: list[CompanionFacts]
    url: str


class UploadState(Struct, kw_only=True):
    """How far a file has come; `offset` is the byte to go on with."""

    sha256: str
    offset: int
    is_complete: bool


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
    rival: str | None
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


def part() -> Part:
    """Return what the releases' routes serve."""
    kinds = [ArtifactFacts, UploadState, ModelReport, ModelList, ReleaseReport, ReleaseList]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return Part(paths=_paths(), schemas=schemas)


def _paths() -> Node:
    ref_path = parameter("path", "ref", "R12 or rel_….")
    return {
        "/v1/artifacts/{sha256}": {"put": _register(), "get": _fetch()},
        "/v1/uploads/{sha256}": {"get": _upload_stands(), "patch": _upload_part()},
        "/v1/models": {"get": reads("List models with their artifacts and open releases", "ModelList")},
        "/v1/models/{name}": {"get": reads("One model", "ModelReport", parameter("path", "name"), missing=True)},
        "/v1/releases": {
            "get": reads("The newest releases, at most fifty", "ReleaseList", parameter("query", "model")),
            "post": _propose(),
        },
        "/v1/releases/{ref}": {"get": reads("One release and its history", "ReleaseReport", ref_path, missing=True)},
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
        "requestBody": {"required": False, "content": BYTES, "description": "Left out when the file was uploaded."},
        "responses": {
            "200": json_reply("It was registered already.", "ArtifactFacts"),
            "201": json_reply("It is registered.", "ArtifactFacts"),
            **refusals(why),
        },
    }


def _upload_stands() -> Node:
    return {
        "summary": "How far an upload has come (sk_… key)",
        "security": KEY,
        "parameters": [_digest()],
        "responses": {"200": json_reply("Here.", "UploadState"), **refusals({422: "No such digest."})},
    }


def _upload_part() -> Node:
    why = {
        400: "The connection broke; what came is kept.",
        409: "It stands at another byte (`Upload-Offset`), or somebody else sends it just now.",
        413: "Too large.",
        422: "A header cannot be read; or the whole has another digest.",
    }
    headers = [
        parameter("header", "Upload-Offset", "The byte that this part begins with.", pattern="^[0-9]{1,15}$"),
        parameter("header", "Upload-Complete", "?1 for the last part.", enum=["?0", "?1"]),
    ]
    return {
        "summary": "Send a part of a file (sk_… key); go on where it was cut off",
        "security": KEY,
        "parameters": [_digest(), headers[0] | {"required": True}, headers[1]],
        "requestBody": {"required": False, "content": BYTES},
        "responses": {"200": json_reply("It is kept.", "UploadState"), **refusals(why)},
    }


def _propose() -> Node:
    words: Node = {name: {"type": "string", "maxLength": LONGEST_WORD} for name in PROPOSAL_WORDS}
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


def _digest() -> Node:
    return parameter("path", "sha256", pattern="^[0-9a-f]{64}$")
