"""Everything that keeps a value from being read as a struct, each mistake with its path. Pure."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from core.errors import Problem
from feedback.wire import MAX_ITEMS, OfBatch

# A few bytes, inflated, may be a hundred thousand mistakes, and finding each takes as long as reading a good item.
MOST_OF_ITEM: Final = 100


def some(problems: Iterable[Problem], most: int = MOST_OF_ITEM) -> tuple[Problem, ...]:
    """Return the first problems; where there are more, one that says so comes last, and no others are looked for."""
    found = tuple(islice(problems, most + 1))
    return found if len(found) <= most else (*found[:most], Problem("", "has more mistakes; only the first are told"))


def mistakes(value: object, kind: Any, path: str) -> Iterator[Problem]:
    """Yield everything that keeps `value` from being read as `kind`."""
    kind = _unwrap(kind, value)
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield from _struct_mistakes(value, kind, path)
        return
    if get_origin(kind) is list and isinstance(value, list) and len(value) <= MAX_ITEMS:
        inner = (wrong for i, each in enumerate(value) for wrong in mistakes(each, get_args(kind)[0], f"{path}[{i}]"))
        if first := next(inner, None):
            yield first
            yield from inner
            return
    yield from _leaf_mistakes(value, kind, path)


def _struct_mistakes(value: object, kind: type[Struct], path: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem(path, "must be an object")
        return
    for field in _fields(kind):
        inner = f"{path}.{field.encode_name}" if path else field.encode_name
        if field.encode_name in value:
            yield from mistakes(value[field.encode_name], field.type, inner)
        elif field.required:
            yield Problem(inner, "is missing")


@lru_cache  # to look a struct over takes longer than an item
def _fields(kind: type[Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _leaf_mistakes(value: object, kind: Any, path: str) -> Iterator[Problem]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield Problem(path + path_in(str(error)), said(str(error), kind))


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


def path_in(message: str) -> str:
    """Return the path inside the value that msgspec names at the end of its message (`$` is the value itself)."""
    found = re.search(r"at `(?:key in )?\$(.*?)`$", message)
    return found[1].replace("[...]", "") if found else ""


def said(message: str, kind: Any) -> str:
    text = re.sub(r" - at `.*`$", "", message)
    if get_origin(kind) is Literal:
        return "must be one of " + ", ".join(repr(choice) for choice in get_args(kind))
    if kind is OfBatch:
        return "stands in the batch, not in an item, whose own facts stand beside its uuid"
    if "RFC3339" in text or "`datetime`" in text:
        return "must be a moment with a zone, like 2026-11-20T00:00:00Z"
    if "[0-9]{1,3}" in text:
        return "must have bucket numbers as keys"
    if "matching regex" in text:
        return "must be 1 to 80 plain characters" + (", without spaces" if " -~" not in text else "")
    text = text.replace("`", "").replace("Expected ", "must be ").replace(", got ", ", not ")
    return text[:1].lower() + text[1:]
