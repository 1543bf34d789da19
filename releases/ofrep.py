"""OFREP 0.3.0: any OpenFeature app asks here which variant of a model to run.

A flag is a model, its variant an artifact's variant, its value an object with version, digest and address. What real
clients need and the protocol only allows is always sent: `value`, `variant`, `errorDetails`. An empty value means that
the app runs the model it was built with; `fallback` is what it tries when the file fails, in order, before that.
`max_per_minute` and `runs` ("cloud", "bundled") throttle it. Metadata is flat; phones echo `release` and `arm` in their
telemetry.
https://github.com/open-feature/protocol
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from core.clock import Clock, monotonic, system_clock
from core.db import Databases
from core.device import DeviceContext
from core.errors import AppError, NotFoundError
from core.keys import ApiKey, KeyRing
from core.limits import RateLimit
from core.settings import Settings
from releases import push
from releases.artifacts import Artifact
from releases.catalog import Catalog
from releases.offers import Offer, offer

MAX_BODY_BYTES = 64 * 1024
MAX_KEY_CHARS = 256
BUILT_IN = "built-in"
CLOUD = "cloud"
ErrorCode = Literal["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "FLAG_NOT_FOUND", "GENERAL"]
_encode = msgspec.json.Encoder(order="sorted").encode


class BadContextError(AppError):
    status = 400

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooLongError(AppError):
    status = 413


class TooManyError(AppError):
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Too many requests with this key.")
        self.retry_after_s = retry_after_s


class FlagConverter(BaseConverter):
    """Any text at all. Flask's own `path` takes no slash at its beginning and no line break."""

    regex = r"[\s\S]+"
    part_isolating = False


def blueprint(
    databases: Databases,
    settings: Settings,
    keys: KeyRing,
    *,
    clock: Clock = system_clock,
    seconds: Callable[[], float] = monotonic,
    catalog: Catalog | None = None,
) -> Blueprint:
    routes = Blueprint("ofrep", __name__, url_prefix="/ofrep/v1/evaluate")
    routes.record(lambda state: state.app.url_map.converters.update(flag=FlagConverter))
    catalog = catalog or Catalog(databases, seconds=seconds)
    limit = RateLimit(settings.rate_limit_per_s, seconds=seconds)

    def enter() -> ApiKey:
        key = keys.check_headers(request.headers, "public", "secret")
        wait_s = limit.wait_s(key.id)
        if wait_s:
            raise TooManyError(wait_s)
        return key

    @routes.post("/flags")
    def _all() -> Response:
        key = enter()
        install, device = read_context(_body())
        flags = [
            success(offer(install, device, slot), settings.public_url) for slot in catalog.slots(key.app, seen=_seen())
        ]
        evaluated: dict[str, Any] = {"flags": flags}
        body = _encode(evaluated)
        etag = hashlib.sha256(body).hexdigest()[:32]
        if catalog.may_push(key.id):
            # Not part of the digest: the address is another one each time.
            streams = push.event_streams(key.app, now=clock(), key=settings.secret_key)
            body = _encode(evaluated | {"eventStreams": streams})
        if request.if_none_match.contains_weak(etag):
            reply = Response(status=304)
        else:
            reply = Response(body, content_type="application/json")
        reply.set_etag(etag)
        return reply

    @routes.post("/flags/<flag:flag>", merge_slashes=False)
    def _one(flag: str) -> Response:
        key = enter()
        install, device = read_context(_body())
        evaluated = success(offer(install, device, catalog.slot(key.app, flag)), settings.public_url)
        return Response(_encode(evaluated), content_type="application/json")

    routes.register_error_handler(AppError, failure)
    return routes


def failure(error: AppError) -> Response:
    """Return a refusal in OFREP's words."""
    code: ErrorCode = "GENERAL"
    if isinstance(error, BadContextError):
        code = error.code
    elif isinstance(error, NotFoundError):
        code = "FLAG_NOT_FOUND"
    flag = (request.view_args or {}).get("flag")
    body = {"errorCode": code, "errorDetails": error.message} | ({"key": flag} if flag else {})
    reply = Response(_encode(body), status=error.status, content_type="application/json")
    if isinstance(error, TooManyError):
        reply.headers["Retry-After"] = str(error.retry_after_s)
    return reply


def read_context(body: bytes) -> tuple[str, DeviceContext]:
    """Return the install (`targetingKey`) and its device.

    Raises: BadContextError: with OFREP's code for what is wrong.
    """
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadContextError("PARSE_ERROR", f"The body is no JSON: {error}") from None
    context = asked.get("context") if isinstance(asked, dict) else None
    if not isinstance(context, dict):
        raise BadContextError("INVALID_CONTEXT", "The body must be an object with a `context` object.")
    install = context.get("targetingKey")
    if install is None or install == "":
        raise BadContextError("TARGETING_KEY_MISSING", "The context must have a `targetingKey`: the install's own id.")
    if not isinstance(install, str) or len(install) > MAX_KEY_CHARS:
        raise BadContextError("INVALID_CONTEXT", f"`targetingKey` must be text of at most {MAX_KEY_CHARS} characters.")
    return install, DeviceContext.from_wire(context)


def success(offered: Offer, public_url: str) -> dict[str, Any]:
    """Return the offer as OFREP's evaluation success."""
    metadata: dict[str, str | int] = {"arm": offered.arm, "why": offered.why}
    if offered.release_id:
        metadata["release"] = offered.release_id
    throttle = offered.throttle
    value: dict[str, Any] = {}
    if offered.artifact:
        value = _file(offered.artifact, public_url) | {
            "model": offered.model,
            "fallback": [_file(artifact, public_url) for artifact in offered.fallback],
        }
    if throttle.runs != "device":
        metadata["runs"] = value["runs"] = throttle.runs
    if throttle.per_minute is not None:
        metadata["max_per_minute"] = value["max_per_minute"] = throttle.per_minute
    variant = offered.artifact.variant if offered.artifact else CLOUD if throttle.runs == "cloud" else BUILT_IN
    return {"key": offered.model, "value": value, "variant": variant, "reason": offered.reason, "metadata": metadata}


def _file(artifact: Artifact, public_url: str) -> dict[str, Any]:
    stated: dict[str, Any] = {
        "version": artifact.version,
        "variant": artifact.variant,
        "sha256": artifact.sha256,
        "size": artifact.size_bytes,
        "url": f"{public_url}/v1/artifacts/{artifact.sha256}",
    }
    return stated | ({"runtime": artifact.runtime} if artifact.runtime else {})


def _seen() -> int:
    """Return the revision that an event told this client of; another process may not have looked since."""
    told = request.args.get("flagConfigEtag", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else 0


def _body() -> bytes:
    request.max_content_length = MAX_BODY_BYTES
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise TooLongError(f"The body must have at most {MAX_BODY_BYTES} bytes.") from None
