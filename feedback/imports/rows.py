"""A response of another tool, whichever it was, and the words its readers share. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Final

import msgspec

from core.errors import Problem
from feedback.wire import EventName

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")
_LATEST_MS: Final = 32_503_680_000_000  # the year 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """One response. `answers` are by their questions; `row` is the whole of it, for facts; `id` names it for good."""

    id: str
    submission: str
    person: str
    at: datetime
    answers: Mapping[str, object]
    row: Mapping[str, Any]
    event: EventName = "poll answered"
    completed: bool | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A row that is no response, with every reason."""

    id: str | None
    problems: tuple[Problem, ...]


Row = Foreign | Unusable


def identity(source: str, theirs: str) -> str:
    """Return the id we know theirs by: the same for the same, whatever characters it has."""
    return f"{source}:{theirs if _PLAIN.fullmatch(theirs) else hashlib.sha256(theirs.encode()).hexdigest()[:40]}"


def moment(told: object) -> datetime | None:
    """Read RFC 3339, or milliseconds since 1970; None for anything else."""
    if isinstance(told, int) and not isinstance(told, bool) and 0 < told < _LATEST_MS:
        return datetime.fromtimestamp(told / 1000, UTC)
    try:
        read = msgspec.convert(told, datetime)
    except msgspec.ValidationError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def fact(row: Mapping[str, Any], path: str) -> str | int | float | None:
    """Return what stands at `metadata.device`; None where nothing does, or nothing plain."""
    node: Any = row
    parts = path.split(".")
    for part in parts:
        node = node.get(part) if isinstance(node, Mapping) else None
    return node if isinstance(node, str | int | float) and not isinstance(node, bool) else None


def plain_text(text: str) -> str:
    """Return the words of a text that may be HTML, with single spaces."""
    if "<" in text or "&" in text:
        reader = _Words()
        reader.feed(text)
        reader.close()
        text = "".join(reader.words)
    return " ".join(text.split())


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.words.append(" " if tag in ("br", "p", "div", "li") else "")
