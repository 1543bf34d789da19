"""Values that commands and routes take: a period, a segment, a model's name. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from core import segments
from core.errors import InvalidInputError, Problem
from core.segments import EVERYONE, Segment

_PERIOD = re.compile(r"(\d{1,5})\s*(h|d|w)", re.IGNORECASE)
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
LONGEST = timedelta(days=366)
MODEL_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
NO_MODEL_NAME: Final = "must be lower-case letters, digits, dots and dashes, such as next-word"


def is_storable(text: str) -> bool:
    """Whether databases can keep it: JSON may hold NUL, and half of a surrogate pair; they cannot."""
    return _UNSTORABLE.search(text) is None


def period(text: str | None, *, default: timedelta, name: str = "since") -> timedelta:
    """Read "24h", "7d", "2w". Raises: InvalidInputError."""
    if text is None:
        return default
    match = _PERIOD.fullmatch(text.strip())
    span = timedelta(hours=int(match[1]) * _HOURS[match[2].lower()]) if match else timedelta()
    if not timedelta() < span <= LONGEST:
        raise InvalidInputError(Problem(name, f"must be a period such as 24h, 7d or 2w (a year at most), not {text}"))
    return span


def segment(text: str | None) -> Segment:
    """Read a rule over devices; every mistake names the option, `where`, that it is in. Raises: InvalidInputError."""
    if text is None or not text.strip():
        return EVERYONE
    try:
        return segments.parse(text)
    except InvalidInputError as error:
        problems = [Problem(f"where, {each.path}" if each.path else "where", each.message) for each in error.problems]
        raise InvalidInputError(*problems) from error
