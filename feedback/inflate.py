"""Undoes the compression of a body, never making more of it than is allowed. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final

from backports import zstd

from core.errors import AppError
from feedback.unpack import MalformedError, TooLargeError

# What is left is copied for each.
MEMBERS: Final = 100


class UnknownEncodingError(AppError):
    status = 415


def inflate(body: bytes, encoding: str, largest: int) -> bytes:
    """Undo a Content-Encoding without ever making more than `largest` bytes of it.

    Raises: UnknownEncodingError 415; TooLargeError 413; MalformedError 400: it is not what it says, or is cut off.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "zstd"):
        raise UnknownEncodingError(f"Content-Encoding {encoding[:40]!r} is not understood; use gzip or zstd.")
    try:
        plain, is_whole = _members(body, largest, zstd.ZstdDecompressor if encoding == "zstd" else _gunzip)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise MalformedError(f"The body is not {encoding}: {error}.") from error
    if len(plain) > largest:
        raise TooLargeError(f"The body inflates to more than {largest} bytes; send it in parts.")
    if not is_whole:
        raise MalformedError(f"The body is not {encoding}: it is cut off.")
    return plain


def _members(body: bytes, largest: int, inflater: Callable[[], Any]) -> tuple[bytes, bool]:
    """Return what one member after the other makes (RFC 1952, 2.2), a byte too much at most; is the last one whole?"""
    parts: list[bytes] = []
    size = 0
    for _ in range(MEMBERS):
        member = inflater()
        parts.append(member.decompress(body, largest + 1 - size))
        size += len(parts[-1])
        body = member.unused_data
        if not body or not member.eof or size > largest:
            return b"".join(parts), member.eof
    raise MalformedError(f"The body has more than {MEMBERS} compressed parts; send it as one.")


def _gunzip() -> Any:
    return zlib.decompressobj(wbits=31)
