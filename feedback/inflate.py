"""Undoes the compression of a body, never making more of it than is allowed. Pure."""

from __future__ import annotations

import zlib

from backports import zstd

from core.errors import AppError
from feedback.unpack import MalformedError, TooLargeError


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
        plain, is_whole = _unzstd(body, largest) if encoding == "zstd" else _gunzip(body, largest)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise MalformedError(f"The body is not {encoding}: {error}.") from error
    if len(plain) > largest:
        raise TooLargeError(f"The body inflates to more than {largest} bytes; send it in parts.")
    if not is_whole:
        raise MalformedError(f"The body is not {encoding}: it is cut off.")
    return plain


def _gunzip(body: bytes, largest: int) -> tuple[bytes, bool]:
    inflater = zlib.decompressobj(wbits=31)
    plain = inflater.decompress(body, largest + 1)
    return plain, inflater.eof


def _unzstd(body: bytes, largest: int) -> tuple[bytes, bool]:
    inflater = zstd.ZstdDecompressor()
    plain = inflater.decompress(body, largest + 1)
    return plain, inflater.eof
