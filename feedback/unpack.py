"""Unpacks a request's body into structs; of what cannot be read it tells all mistakes, item by item. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec import UNSET

from core.errors import AppError, Problem
from feedback.mistakes import MOST_OF_ITEM, mistakes, path_in, said, some
from feedback.wire import MAX_ITEMS, Batch, Context, Envelope, Event, Inference, Moment, Response


class MalformedError(AppError):
    """The body is not JSON, or not of the shape that items could be found in."""

    status = 400


class TooLargeError(AppError):
    status = 413


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An item that could not be read, with the uuid it came under if that much was clear."""

    uuid: str | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What one request brought; an unreadable context makes every item unreadable.

    A Response has its timestamp and submission filled in.
    """

    context: Context
    sent_at: datetime | None
    items: tuple[Event | Response | Inference | Unreadable, ...]


# Each item of a batch that is wrong somewhere is kept apart before they are counted: a few kilobytes, inflated, may
# hold millions.
MOST_PARTS: Final = 500_000
# Of all items together; the items behind have their first mistake told.
MOST_MISTAKES: Final = 2_000
NO_SHAPE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_BATCH = msgspec.json.Decoder(Batch)
_ENVELOPE = msgspec.json.Decoder(Envelope)
_RESPONSE = msgspec.json.Decoder(Response)
_EVENT = msgspec.json.Decoder(Event)
_INFERENCE = msgspec.json.Decoder(Inference)


def unpack_batch(body: bytes, *, briefly: bool = False) -> Parcel:
    """Read the body of `POST /v1/batch`.

    Raises: MalformedError (400): no JSON, no batch, or a wrong one without items; TooLargeError (413): too many items,
        or, if `briefly`, a mistake anywhere: to find them all takes time.
    """
    try:
        batch = _BATCH.decode(body)
    except NO_SHAPE as error:
        if briefly:
            raise _takes_time() from error
        return _unpack_each(body if isinstance(error, msgspec.ValidationError) else _mended(body, error))
    _check_size(len(batch.events) + len(batch.inferences))
    return Parcel(context=batch.context, sent_at=batch.sent_at, items=(*batch.events, *batch.inferences))


def unpack_response(body: bytes, now: datetime, *, briefly: bool = False) -> Parcel:
    """Read the body of `POST /v1/responses`: one event with its context. Raises: as `unpack_batch`."""
    try:
        response = _RESPONSE.decode(body)
    except NO_SHAPE as error:
        if briefly:
            raise _takes_time() from error
        if isinstance(error, msgspec.ValidationError):
            return _unreadable_response(body)
        return unpack_response(_mended(body, error), now)
    response.timestamp = response.timestamp or response.sent_at or now
    response.submission = response.submission or response.uuid
    return Parcel(context=response.context, sent_at=response.sent_at, items=(response,))


def _unpack_each(body: bytes) -> Parcel:
    if body.count(b",") > MOST_PARTS:
        raise TooLargeError(f"The batch is not of its shape and has more than {MOST_PARTS} parts; send less at once.")
    try:
        body.decode()
        envelope = _ENVELOPE.decode(body)
    except msgspec.ValidationError as error:
        path = path_in(str(error)).removeprefix(".")
        found = [Problem(path, said(str(error), None))] if path else []
        raise MalformedError("The body must be an object with context, events and inferences.", *found) from error
    except NO_SHAPE as error:
        raise _malformed(error) from error
    _check_size(len(envelope.events) + len(envelope.inferences))
    if not envelope.events and not envelope.inferences:  # nobody's results could tell what is wrong
        raise MalformedError("The batch is not of its shape.", *some(_mistakes_of(_loose(body), Batch, "")))
    told = {} if envelope.context is UNSET else _loose(envelope.context)
    shared = [*mistakes(envelope.sent_at, Moment | None, "sent_at"), *_mistakes_of(told, Context, "context")]
    items: list[Any] = []
    left = MOST_MISTAKES
    for raws, kind, decoder in ((envelope.events, Event, _EVENT), (envelope.inferences, Inference, _INFERENCE)):
        for raw in raws:
            items.append(_read(raw, kind, decoder, shared, max(1, min(MOST_OF_ITEM, left))))
            left -= len(items[-1].problems) if isinstance(items[-1], Unreadable) else 0
    if shared:
        return Parcel(context=Context(), sent_at=None, items=tuple(items))
    context, sent_at = msgspec.convert(told, Context), msgspec.convert(envelope.sent_at, Moment | None)
    return Parcel(context=context, sent_at=sent_at, items=tuple(items))


def _read(raw: msgspec.Raw, kind: Any, decoder: Any, shared: list[Problem], most: int) -> Any:
    if not shared:
        try:
            return decoder.decode(raw)
        except (msgspec.ValidationError, RecursionError):
            pass
    value = _loose(raw)
    return Unreadable(uuid=_uuid(value), problems=some(chain(shared, _mistakes_of(value, kind, "")), most))


def _unreadable_response(body: bytes) -> Parcel:
    try:
        value = msgspec.json.decode(body)
    except msgspec.ValidationError as error:
        value = Problem("", said(str(error), None))
    except NO_SHAPE as error:
        raise _malformed(error) from error
    if not isinstance(value, dict | Problem):
        raise MalformedError("The body must be an object: one response.")
    found = Unreadable(uuid=_uuid(value), problems=some(_mistakes_of(value, Response, "")))
    return Parcel(context=Context(), sent_at=None, items=(found,))


def _mended(body: bytes, error: Exception) -> bytes:
    """Return the body with halves of surrogate pairs replaced: a text that an app cut in the middle of an emoji.

    Raises: MalformedError (400): that is not what is wrong with it.
    """
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        raise _malformed(error) from error
    mended = text.encode("utf-8", "replace")
    if not re.search(rb"\\u[dD][89a-fA-F]", body):
        raise _malformed(error) from error
    return mended


def _malformed(error: Exception) -> MalformedError:
    match error:
        case UnicodeDecodeError():
            return MalformedError("The body is not JSON: it is not UTF-8.")
        case RecursionError():
            return MalformedError("The body is nested too deeply.")
        case _:
            return MalformedError(f"The body is not JSON: {error}.")


def _loose(raw: bytes | msgspec.Raw) -> object:
    """Return the plain JSON value, or the Problem that it has a number out of range or is nested too deeply."""
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        return Problem("", "is nested too deeply")
    except msgspec.DecodeError as error:
        return Problem("", said(str(error), None))


def _mistakes_of(value: object, kind: Any, path: str) -> Iterable[Problem]:
    return [Problem(path, value.message)] if isinstance(value, Problem) else mistakes(value, kind, path)


def _takes_time() -> TooLargeError:
    return TooLargeError("Some of it cannot be read; all that is wrong is told where there is time to find it.")


def _check_size(items: int) -> None:
    if items > MAX_ITEMS:
        raise TooLargeError(f"A batch has at most {MAX_ITEMS} items, this one has {items}; send it in parts.")


def _uuid(value: object) -> str | None:
    uuid = value.get("uuid") if isinstance(value, dict) else None
    return uuid[:80] if isinstance(uuid, str) else None
