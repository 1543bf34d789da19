"""Unpacks a request's body into structs; of what cannot be read it tells all mistakes, item by item. Pure."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Struct

from core.errors import AppError, Problem
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

_BATCH = msgspec.json.Decoder(Batch)
_ENVELOPE = msgspec.json.Decoder(Envelope)
_RESPONSE = msgspec.json.Decoder(Response)
_EVENT = msgspec.json.Decoder(Event)
_INFERENCE = msgspec.json.Decoder(Inference)


def unpack_batch(body: bytes) -> Parcel:
    """Read the body of `POST /v1/batch`.

    Raises: MalformedError (400): no JSON, no batch, or a wrong one without items; TooLargeError (413): too many items.
    """
    try:
        batch = _BATCH.decode(body)
    except msgspec.ValidationError:
        return _unpack_each(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _unpack_each(_mended(body, error))
    _check_size(len(batch.events) + len(batch.inferences))
    return Parcel(context=batch.context, sent_at=batch.sent_at, items=(*batch.events, *batch.inferences))


def unpack_response(body: bytes, now: datetime) -> Parcel:
    """Read the body of `POST /v1/responses`: one event with its context. Raises: MalformedError (400)."""
    try:
        response = _RESPONSE.decode(body)
    except msgspec.ValidationError:
        return _unreadable_response(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return unpack_response(_mended(body, error), now)
    response.timestamp = response.timestamp or response.sent_at or now
    response.submission = response.submission or response.uuid
    return Parcel(context=response.context, sent_at=response.sent_at, items=(response,))


def mistakes(value: object, kind: Any, path: str) -> list[Problem]:
    """Return everything that keeps `value` from being read as `kind`, each with its path."""
    kind = _unwrap(kind, value)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _struct_mistakes(value, kind, path)
    if get_origin(kind) is list and isinstance(value, list) and len(value) <= MAX_ITEMS:
        inner = [wrong for i, each in enumerate(value) for wrong in mistakes(each, get_args(kind)[0], f"{path}[{i}]")]
        if inner:
            return inner
    return _leaf_mistakes(value, kind, path)


def _unpack_each(body: bytes) -> Parcel:
    if body.count(b",") > MOST_PARTS:
        raise TooLargeError(f"The batch is not of its shape and has more than {MOST_PARTS} parts; send less at once.")
    try:
        body.decode()
        envelope = _ENVELOPE.decode(body)
    except msgspec.ValidationError as error:
        path = _path(str(error)).removeprefix(".")
        found = [Problem(path, _said(str(error), None))] if path else []
        raise MalformedError("The body must be an object with context, events and inferences.", *found) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error
    _check_size(len(envelope.events) + len(envelope.inferences))
    if not envelope.events and not envelope.inferences:  # nobody's results could tell what is wrong
        raise MalformedError("The batch is not of its shape.", *_mistakes_of(_loose(body), Batch, ""))
    shared = mistakes(envelope.sent_at, Moment | None, "sent_at")
    told = {} if envelope.context is UNSET else _loose(envelope.context)
    shared += _mistakes_of(told, Context, "context")
    items = [_read(raw, Event, _EVENT, shared) for raw in envelope.events]
    items += [_read(raw, Inference, _INFERENCE, shared) for raw in envelope.inferences]
    if shared:
        return Parcel(context=Context(), sent_at=None, items=tuple(items))
    context, sent_at = msgspec.convert(told, Context), msgspec.convert(envelope.sent_at, Moment | None)
    return Parcel(context=context, sent_at=sent_at, items=tuple(items))


def _read(raw: msgspec.Raw, kind: Any, decoder: Any, shared: list[Problem]) -> Any:
    if not shared:
        try:
            return decoder.decode(raw)
        except (msgspec.ValidationError, RecursionError):
            pass
    value = _loose(raw)
    return Unreadable(uuid=_uuid(value), problems=(*shared, *_mistakes_of(value, kind, "")))


def _unreadable_response(body: bytes) -> Parcel:
    try:
        value = msgspec.json.decode(body)
    except msgspec.ValidationError as error:
        value = Problem("", _said(str(error), None))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error
    if not isinstance(value, dict | Problem):
        raise MalformedError("The body must be an object: one response.")
    found = Unreadable(uuid=_uuid(value), problems=tuple(_mistakes_of(value, Response, "")))
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
        return Problem("", _said(str(error), None))


def _mistakes_of(value: object, kind: Any, path: str) -> list[Problem]:
    return [Problem(path, value.message)] if isinstance(value, Problem) else mistakes(value, kind, path)


def _check_size(items: int) -> None:
    if items > MAX_ITEMS:
        raise TooLargeError(f"A batch has at most {MAX_ITEMS} items, this one has {items}; send it in parts.")


def _uuid(value: object) -> str | None:
    uuid = value.get("uuid") if isinstance(value, dict) else None
    return uuid[:80] if isinstance(uuid, str) else None


def _struct_mistakes(value: object, kind: type[Struct], path: str) -> list[Problem]:
    if not isinstance(value, Mapping):
        return [Problem(path, "must be an object")]
    found: list[Problem] = []
    for field in msgspec.structs.fields(kind):
        inner = f"{path}.{field.encode_name}" if path else field.encode_name
        if field.encode_name in value:
            found += mistakes(value[field.encode_name], field.type, inner)
        elif field.required:
            found.append(Problem(inner, "is missing"))
    return found


def _leaf_mistakes(value: object, kind: Any, path: str) -> list[Problem]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [Problem(path + _path(str(error)), _said(str(error), kind))]
    return []


def _unwrap(kind: Any, value: object) -> Any:
    """Return the part of `X | None` or of an annotation that `value` was meant as, if that is clear."""
    if get_origin(kind) in (Union, types.UnionType) and value is not None:
        parts = [part for part in get_args(kind) if part is not type(None)]
        structs = [part for part in parts if isinstance(part, type) and issubclass(part, Struct)]
        if isinstance(value, Mapping) and structs:
            return structs[0]
        return parts[0] if len(parts) == 1 else kind
    if get_origin(kind) is Annotated and get_origin(get_args(kind)[0]) is list and isinstance(value, list):
        inner: Any = get_args(kind)[0]
        return inner if _fits_but_items(value, kind) else kind
    return kind


def _fits_but_items(value: list[object], kind: Any) -> bool:
    """Return whether the list's length is right, so that only its items can be wrong."""
    limits = [meta for meta in get_args(kind)[1:] if isinstance(meta, msgspec.Meta)]
    return all((m.min_length or 0) <= len(value) <= (m.max_length or len(value)) for m in limits)


def _path(message: str) -> str:
    """Return the path inside the value that msgspec names at the end of its message (`$` is the value itself)."""
    found = re.search(r"at `(?:key in )?\$(.*?)`$", message)
    return found[1].replace("[...]", "") if found else ""


def _said(message: str, kind: Any) -> str:
    text = re.sub(r" - at `.*`$", "", message)
    if get_origin(kind) is Literal:
        return "must be one of " + ", ".join(repr(choice) for choice in get_args(kind))
    if "RFC3339" in text or "`datetime`" in text:
        return "must be a moment with a zone, like 2026-11-20T00:00:00Z"
    if "[0-9]{1,3}" in text:
        return "must have bucket numbers as keys"
    if "matching regex" in text:
        return "must be 1 to 80 plain characters" + (", without spaces" if " -~" not in text else "")
    text = text.replace("`", "").replace("Expected ", "must be ").replace(", got ", ", not ")
    return text[:1].lower() + text[1:]
