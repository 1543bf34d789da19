"""What the collector serves, told in OpenAPI; schemas come from the structs that requests are read with. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from core.device import FIELDS
from core.openapi import KEY, Node, Part, json_reply, parameter, ref, refusals
from feedback.bundle import SIGNATURE_HEADER
from feedback.wire import Batch, Bundle, Reply, Response

INSTALL_HEADER: Final = "X-Muster-Install"
Unit = Literal["share", "points", "mean"]


class PollChange(Struct, kw_only=True):
    """One field that the file changed; values are JSON, null where the field was not there."""

    path: str
    before: str | None
    after: str | None


class PushedPoll(Struct, kw_only=True):
    """A poll as it stands after its file was pushed (or would, in a dry run), and what the file changed in it.

    `notes` say what it asked for in vain.
    """

    ref: str
    id: str
    version: int
    status: str
    is_new: bool
    changes: list[PollChange]
    notes: list[str]


class GateFacts(Struct, kw_only=True):
    """One condition. `passed` is null where only the phone can know."""

    name: str
    passed: bool | None
    sentence: str


class Explanation(Struct, kw_only=True):
    poll: str
    shown: bool
    gates: list[GateFacts]


class ScoreFacts(Struct, kw_only=True):
    """A share in 0..1, points (NPS) in -100..100 or a mean on its scale, with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    unit: Unit


class ChangeFacts(Struct, kw_only=True):
    """How much it moved against the period of the same length before, with its 95 % interval."""

    value: float
    low: float
    high: float
    unit: Unit


class CohortFacts(ScoreFacts, kw_only=True):
    cohort: str
    change: ChangeFacts | None
    response_rate: ScoreFacts | None


class PrivacyFacts(Struct, kw_only=True):
    """How phones randomized the answers that scores are computed back from."""

    mechanism: Literal["k_rr"]
    epsilon: float


class Report(Struct, kw_only=True):
    """Cohorts, the lowest score first. `overall` is null when all people together are fewer than `minimum`.

    `is_earlier`: as of `until`, which is not now, as the few who answered since could be told from the difference.
    Of everybody's answers at least `left_out` are not scored, as they were sent under another `privacy` than now; it
    goes in steps of `minimum`.
    """

    poll: str
    model: str
    question: str
    privacy: PrivacyFacts | None
    by: str
    since: datetime
    until: datetime
    where: str
    minimum: int
    is_earlier: bool
    hidden: int
    left_out: int
    overall: ScoreFacts | None
    change: ChangeFacts | None
    response_rate: ScoreFacts | None
    cohorts: list[CohortFacts]


def part() -> Part:
    """Return what the collector serves."""
    _, schemas = msgspec.json.schema_components(
        [Batch, Response, Reply, Bundle, PushedPoll, Explanation, Report], ref_template="#/components/schemas/{name}"
    )
    return Part(paths=_paths(), schemas=schemas)


def _paths() -> Node:
    found = {"200": json_reply("The rows, by kind.", None)}
    gone = {"204": {"description": "It is gone."}}
    return {
        "/v1/batch": {"post": _post("Batch", "Send a whole offline session", {})},
        "/v1/responses": {
            "post": _post("Response", "Send one response", {"422": json_reply("It was rejected; says why.", "Reply")})
        },
        "/v1/polls": {"get": _polls(), "put": _push()},
        "/v1/polls/{id}/explain": {"get": _explain()},
        "/v1/reports/{model}": {"get": _report()},
        "/v1/corrections/{model}": {"get": _corrections()},
        "/v1/installs/me": {
            "get": _install("Everything kept about this install", found),
            "delete": _install("Erase everything kept about this install", gone),
        },
    }


def _post(schema: str, summary: str, more: Node) -> Node:
    why = {
        400: "Not JSON, or not of this shape.",
        408: "The body did not come in time.",
        413: "Too large, as sent or inflated.",
        415: "An encoding that is not understood.",
        429: "Too fast.",
        503: "Not now; nothing was stored.",
    }
    stored = json_reply("Stored durably. Every item has its own result.", "Reply")
    return {
        "summary": summary,
        "security": KEY,
        "parameters": [parameter("header", "Content-Encoding", enum=["gzip", "zstd", "identity"])],
        "requestBody": {"required": True, "content": {"application/json": {"schema": ref(schema)}}},
        "responses": {"200": stored, **refusals(why), **more},
    }


def _polls() -> Node:
    signature = {"schema": {"type": "string"}, "description": "ed25519=<base64> over the bytes of the body."}
    found = json_reply("The running polls, to be judged offline until `not_after`.", "Bundle")
    return {
        "summary": "Fetch the running polls",
        "security": KEY,
        "parameters": [parameter("query", "app", "The key's own app."), parameter("header", "If-None-Match")],
        "responses": {
            "200": found | {"headers": {SIGNATURE_HEADER: signature, "ETag": {"schema": {"type": "string"}}}},
            "304": {"description": "Unchanged."},
            **refusals({}),
        },
    }


def _push() -> Node:
    why = {
        409: "The id belongs to another poll.",
        411: "Sent without its length.",
        413: "Too large.",
        422: "Every mistake, with its line.",
    }
    return {
        "summary": "Create the poll of a YAML file, or its next version (sk_… key)",
        "security": KEY,
        "parameters": [
            parameter("query", "start", "Anything starts it as well."),
            parameter("query", "dry_run", "Anything only says what would change."),
        ],
        "requestBody": {"required": True, "content": {"application/yaml": {"schema": {"type": "string"}}}},
        "responses": {"200": json_reply("As it stands now; an unchanged file changes nothing.", "PushedPoll"),
                      **refusals(why)},
    }  # fmt: skip


def _explain() -> Node:
    facts = [parameter("query", name) for name in FIELDS]
    return {
        "summary": "Why an install does or does not see a poll, gate by gate (sk_… key)",
        "security": KEY,
        "parameters": [parameter("path", "id"), _install_header(), *facts],
        "responses": {
            "200": json_reply("The gates, in order.", "Explanation"),
            **refusals({404: "No such poll.", 422: "The install's id is missing, or there is no such fact."}),
        },
    }


def _report() -> Node:
    asked = [
        parameter("query", "by", "An attribute of devices.", default="chipset"),
        parameter("query", "since", "How far back: 24h, 7d, 2w.", default="7d"),
        parameter("query", "where", "A segment, such as tier=low."),
        parameter("query", "poll", "A P-number or id, when a model has several."),
    ]
    return {
        "summary": "What people say about a model, by cohort (sk_… key)",
        "security": KEY,
        "parameters": [parameter("path", "model"), *asked],
        "responses": {
            "200": json_reply("Cohorts under the minimum are withheld.", "Report"),
            **refusals({404: "No poll asks about this model.", 422: "An attribute, period or segment is mistaken."}),
        },
    }


def _corrections() -> Node:
    return {
        "summary": "The right labels that people gave, as tasks for Label Studio (sk_… key)",
        "security": KEY,
        "parameters": [
            parameter("path", "model"), parameter("query", "since", "How far back: 24h, 7d, 2w.", default="30d")
        ],
        "responses": {
            "200": json_reply("Tasks and the config for them; none when fewer than the minimum gave one.", None),
            **refusals({422: "No such period."}),
        },
    }  # fmt: skip


def _install(summary: str, responses: Node) -> Node:
    return {
        "summary": summary,
        "security": KEY,
        "parameters": [_install_header()],
        "responses": {**responses, **refusals({422: "The install's id is missing."})},
    }


def _install_header() -> Node:
    about = "The raw install id, which only the phone knows: it is the credential."
    header: dict[str, Any] = parameter("header", INSTALL_HEADER, about, minLength=4, maxLength=200)
    return header | {"required": True}
