"""Builds Confluence's storage format, an XHTML, and finds in it what people wrote under "Notes".

Texts are plain and escaped here; an argument of type Markup is taken as it stands.
https://confluence.atlassian.com/doc/confluence-storage-format-790796544.html Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from markupsafe import Markup, escape

NOTES: Final = "Notes"
INVITATION: Final = "Whatever you write under this heading is kept."
# Characters that XML 1.0 cannot hold at all.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEADING = re.compile(r"<h([1-6])\b[^>]*>((?:(?!</h\1>).)*)</h\1>", re.DOTALL)
_TOKEN = re.compile(r"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<(/?)([A-Za-z][\w:.-]*)[^>]*?(/?)>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def clean(plain: str) -> str:
    return _NOT_XML.sub("", plain)


def text(plain: str) -> Markup:
    return plain if isinstance(plain, Markup) else escape(clean(plain))


def heading(level: Literal[1, 2, 3, 4, 5, 6], plain: str) -> Markup:
    return Markup(f"<h{level}>{{}}</h{level}>").format(text(plain))  # noqa: S704 (a number)


def paragraph(*inlines: str) -> Markup:
    return Markup("<p>{}</p>").format(_joined(inlines))


def strong(plain: str) -> Markup:
    return Markup("<strong>{}</strong>").format(text(plain))


def link(plain: str, url: str) -> Markup:
    """Raises: ValueError: the address is not a web address."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url!r} is no web address")
    return Markup('<a href="{}">{}</a>').format(clean(url), text(plain))


def bullets(*items: str) -> Markup:
    """Raises: ValueError: no items."""
    if not items:
        raise ValueError("a list needs an item")
    return Markup("<ul>{}</ul>").format(_joined(Markup("<li>{}</li>").format(text(item)) for item in items))


def quote(plain: str) -> Markup:
    return Markup("<blockquote><p>{}</p></blockquote>").format(text(plain))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """Raises: ValueError: a row is not as wide as the head."""
    if any(len(row) != len(head) for row in rows):
        raise ValueError("every row needs as many cells as the head")
    lines = [_row("th", head), *(_row("td", row) for row in rows)]
    return Markup("<table><tbody>{}</tbody></table>").format(_joined(lines))


def image(name: str, *, alt: str) -> Markup:
    """Show the attachment `name`; `alt` is what is heard in its place."""
    return Markup('<ac:image ac:alt="{}"><ri:attachment ri:filename="{}" /></ac:image>').format(clean(alt), clean(name))


def document(*blocks: Markup, origin: str) -> str:
    """Return the page, with the heading under which people may write at its end.

    `origin` names the page among ours: by it a page that was created without an answer is known again.
    """
    told = Markup("<p><em>Put by Muster ({}). What stands above is replaced when it changes.</em></p>").format(origin)
    return str(_joined((*blocks, told, heading(2, NOTES), paragraph(INVITATION))))


def keep_notes(new: str, old: str) -> str:
    """Return `new` with what stands under "Notes" in `old`, up to the end of what holds that heading."""
    place, kept = _notes(new), _notes(old)
    if place is None or kept is None:
        return new
    return new[: place.start] + old[kept.start : kept.end] + new[place.end :]


class _Span:
    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end


def _notes(body: str) -> _Span | None:
    for found in _HEADING.finditer(body):
        if _TAG.sub("", found[2]).strip().casefold() == NOTES.casefold():
            return _Span(found.end(), _end_of_what_holds(body, found.end()))
    return None


def _end_of_what_holds(body: str, start: int) -> int:
    """Return where the element around `start` is closed (a cell of a layout, say), or the end of the page."""
    depth = 0
    for token in _TOKEN.finditer(body, start):
        if token[2] is None or token[3]:
            continue
        depth += -1 if token[1] else 1
        if depth < 0:
            return token.start()
    return len(body)


def _row(kind: str, cells: Sequence[str]) -> Markup:
    made = (Markup(f"<{kind}><p>{{}}</p></{kind}>").format(text(cell)) for cell in cells)  # noqa: S704 (th or td)
    return Markup("<tr>{}</tr>").format(_joined(made))


def _joined(parts: Iterable[str]) -> Markup:
    return Markup("").join(text(part) for part in parts)
