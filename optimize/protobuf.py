"""A bounded reader of the protobuf wire format: no schema, no copies, no recursion. Pure.

Model files are hostile until shown otherwise, so nothing that allocates by what a file claims touches them first.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
Field = tuple[int, int, int, memoryview]
_NOTHING: Final = memoryview(b"")


class WireError(ValueError):
    """The bytes are no protobuf message."""


def fields(message: memoryview) -> Iterator[Field]:
    """Yield (field number, wire type, integer or 0, bytes or empty) of each field in `message`.

    Raises: WireError: truncated, a group, or a number that no field has.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0 or number > 536_870_911:
            raise WireError("a field without a number")
        if wire_type == VARINT:
            value, at = varint(message, at)
            yield number, wire_type, value, _NOTHING
            continue
        if wire_type == BYTES:
            length, at = varint(message, at)
        elif wire_type in (FIXED32, FIXED64):
            length = 4 if wire_type == FIXED32 else 8
        else:
            raise WireError(f"wire type {wire_type}")
        if length > end - at:
            raise WireError("truncated")
        yield number, wire_type, 0, message[at : at + length]
        at += length


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the unsigned integer at `at` and where it ends."""
    value, shift = 0, 0
    while True:
        if at >= len(message) or shift > 63:
            raise WireError("truncated")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7


def signed(value: int) -> int:
    """Return a varint as the int64 it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value


def integers(wire_type: int, value: int, content: memoryview) -> Iterator[int]:
    """Yield the int64s of one occurrence of a repeated field, packed or not."""
    if wire_type == VARINT:
        yield signed(value)
        return
    at = 0
    while at < len(content):
        number, at = varint(content, at)
        yield signed(number)


def text(content: memoryview, longest: int = 200) -> str:
    """Return bytes as text fit for a sentence: clipped, nothing unprintable."""
    decoded = bytes(content[: longest * 4]).decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in decoded)[:longest]
