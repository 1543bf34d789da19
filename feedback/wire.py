"""Structs of the collector's JSON, as phones send it; the OpenAPI document is generated from them. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from core.arms import OfferedArm

MAX_ITEMS: Final = 5_000

Id = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_.:@-]+$")]
Word = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[ -~]+$")]
InstallId = Annotated[
    str, Meta(min_length=4, max_length=200, description="Random, chosen by the phone; kept as a hash.")
]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with a zone.")]
Count = Annotated[int, Meta(ge=0, le=2_000_000_000)]
Amount = Annotated[float, Meta(ge=0, le=1e15)]
Told = Annotated[Any, Meta(extra_json_schema={"type": ["string", "number", "null"]})]
"""A device fact: read leniently, because a phone of last year must not lose an answer over it."""

OfBatch = Annotated[None, Meta(description="An item holds facts of its own flat; `context` stands in the batch.")]

EventName = Literal["poll shown", "poll answered", "poll dismissed", "poll abandoned"]


class ModelFacts(Struct, kw_only=True):
    """What ran. `release` and `arm` echo the metadata of the OFREP flag that offered it."""

    name: Told = None
    version: Told = None
    variant: Told = None
    sha256: Told = None
    release: Id | None = None
    arm: OfferedArm | None = None


class ConsentGiven(Struct, kw_only=True):
    granted: bool
    text_version: Word | None = None
    at: Moment | None = None


class Facts(Struct, kw_only=True):
    """Facts about install and device; an event's own override those of the batch."""

    install: InstallId | None = None
    app_version: Told = field(name="app.version", default=None)
    os_name: Told = field(name="os.name", default=None)
    os_version: Told = field(name="os.version", default=None)
    device_manufacturer: Told = field(name="device.manufacturer", default=None)
    device_model: Told = field(name="device.model", default=None)
    device_class: Told = field(name="device.class", default=None)
    soc: Told = None
    ram_gb: Told = None
    locale: Told = None
    geo_country: Told = field(name="geo.country", default=None)
    runtime: Told = None
    cohort: Told = None
    model: ModelFacts | None = None
    consent: ConsentGiven | None = None


class Context(Facts, kw_only=True):
    accelerator: Told = None


class AnswerGiven(Struct, kw_only=True):
    """`value` as the question's type asks; `mechanism` and `epsilon` when the phone randomized it."""

    question: Id
    value: Any
    mechanism: Literal["k_rr"] | None = None
    epsilon: Amount | None = None


class Event(Context, kw_only=True):
    """A poll shown, answered or dismissed. The phone chooses `uuid`; the same one is stored once."""

    uuid: Id
    event: EventName
    timestamp: Moment
    poll: Id
    submission: Id
    poll_version: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    completed: bool | None = None
    language: Word | None = None
    inference: Id | None = None
    answers: Annotated[list[AnswerGiven], Meta(max_length=100)] = field(default_factory=list)
    context: OfBatch = None


class Response(Context, kw_only=True):
    """One response on its own. Without `timestamp` it is of now; without `submission` it is one of its own."""

    uuid: Id
    poll: Id
    answers: Annotated[list[AnswerGiven], Meta(min_length=1, max_length=100)]
    event: EventName = "poll answered"
    timestamp: Moment | None = None
    submission: Id | None = None
    poll_version: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    completed: bool | None = None
    language: Word | None = None
    inference: Id | None = None
    context: Context = field(default_factory=Context)
    sent_at: Moment | None = None


class Errors(Struct, kw_only=True):
    model_load: Count = 0
    input_invalid: Count = 0
    timeout: Count = 0
    crash: Count = 0


class AcceleratorUse(Struct, kw_only=True):
    requested: Word | None = None
    used: Word | None = None
    fallback_reason: Word | None = None


class Latency(Struct, kw_only=True):
    """Bucket i counts latencies from 2^(i/4) to 2^((i+1)/4) ms."""

    scheme: Literal["log2x4"]
    buckets: Annotated[dict[Annotated[str, Meta(pattern=r"^-?[0-9]{1,3}$")], Count], Meta(max_length=200)]
    sum: Amount | None = None
    max: Amount | None = None


class Confidence(Struct, kw_only=True):
    edges: Annotated[list[float], Meta(min_length=2, max_length=101)]
    counts: Annotated[list[Count], Meta(min_length=1, max_length=100)]


class Update(Struct, kw_only=True):
    from_version: Word | None = None
    bytes: Count | None = None
    result: Word | None = None


class Inference(Facts, kw_only=True):
    """A roll-up of one window of inferences: counts and histograms, never an input."""

    uuid: Id
    window_start: Moment
    count: Count
    window_s: Annotated[int, Meta(ge=1, le=604_800)] = 3600
    errors: Errors = field(default_factory=Errors)
    accelerator: AcceleratorUse | Word | None = None
    latency_ms: Latency | None = None
    confidence: Confidence | None = None
    outputs: Annotated[dict[Annotated[str, Meta(min_length=1, max_length=80)], Count], Meta(max_length=100)] | None = (
        None
    )
    peak_rss_mb: Amount | None = None
    battery_pct: Amount | None = None
    thermal: Word | None = None
    update: Update | None = None
    context: OfBatch = None


class Sdk(Struct, kw_only=True):
    name: Told = None
    version: Told = None


class Batch(Struct, kw_only=True):
    """A whole offline session in one request. Send it again until it was answered; nothing is stored twice.

    Set `sent_at` anew at each attempt: it is what the phone's clock is corrected by.
    """

    context: Context = field(default_factory=Context)
    events: Annotated[list[Event], Meta(max_length=MAX_ITEMS)] = field(default_factory=list)
    inferences: Annotated[list[Inference], Meta(max_length=MAX_ITEMS)] = field(default_factory=list)
    batch_id: Id | None = None
    sent_at: Moment | None = None
    sdk: Sdk | None = None


class Envelope(Struct, kw_only=True):
    """The same batch with its parts unread, for when one of them cannot be."""

    context: msgspec.Raw | UnsetType = UNSET
    events: list[msgspec.Raw] = field(default_factory=list)
    inferences: list[msgspec.Raw] = field(default_factory=list)
    sent_at: Any = None


class Mistake(Struct, kw_only=True):
    path: str
    message: str


class Result(Struct, kw_only=True, omit_defaults=True):
    uuid: str | None
    status: Literal["accepted", "duplicate", "rejected"]
    problems: list[Mistake] = field(default_factory=list)


class Reply(Struct, kw_only=True):
    """Every item has its own result, in the order of the request: events, then inferences."""

    accepted: int
    duplicate: int
    rejected: int
    results: list[Result]


class Refusal(Struct, kw_only=True):
    """Why a whole request was refused."""

    error: str
    problems: list[Mistake] = field(default_factory=list)


class Bundle(Struct, kw_only=True):
    """The running polls of an app; a phone judges them offline until `not_after`."""

    app: str
    not_after: Moment
    polls: list[dict[str, Any]]
