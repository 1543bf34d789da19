"""A pretended Confluence Cloud space: its pages with their versions, properties and attachments.

`sandbox.confluence_web` speaks REST for it. Every method may be called from any thread.
"""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.clock import Clock
from sandbox.faults import Faults

SPACE, SPACE_ID, SPACE_NAME = "ML", "98304", "Machine learning"
HOME_ID = "65537"
FIRST_ID = 70_000
ENTITIES = {"&nbsp;": "\u00a0", "&ndash;": "–", "&mdash;": "—", "&hellip;": "…", "&ldquo;": "“", "&rdquo;": "”"}
ROOT = '<body xmlns:ac="urn:ac" xmlns:ri="urn:ri">{}</body>'


class TakenError(Exception):
    """The title is that of another page."""


class RubbishError(Exception):
    """The body is no storage format."""


class StaleError(Exception):
    """The version does not follow the one that is there."""


@dataclass(slots=True, kw_only=True)
class Property:
    id: str
    key: str
    value: Any
    version: int = 1


@dataclass(slots=True, kw_only=True)
class Page:
    id: str
    title: str
    body: str
    parent: str | None
    created: datetime
    updated: datetime
    version: int = 1
    author: str = "Muster"
    is_trashed: bool = False
    properties: dict[str, Property] = field(default_factory=dict)
    attachments: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)


class ConfluenceWorld:
    """`base_url` is where people and clients reach it; set it once the port is known."""

    def __init__(
        self,
        faults: Faults,
        clock: Clock,
        *,
        base_url: str = "http://127.0.0.1/wiki",
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.faults = faults
        self.clock = clock
        self.base_url = base_url
        self.changed = changed
        self._lock = threading.RLock()
        self._pages: list[Page] = []
        self._numbers = FIRST_ID

    def all(self) -> tuple[Page, ...]:
        """Return what is there, oldest first."""
        with self._lock:
            return tuple(page for page in self._pages if not page.is_trashed)

    def find(self, page_id: str) -> Page | None:
        """Find a page, also in the trash."""
        with self._lock:
            return next((page for page in self._pages if page.id == page_id), None)

    def titled(self, title: str) -> Page | None:
        return next((page for page in self.all() if page.title == title), None)

    def create(self, title: str, body: str, *, parent: str | None) -> Page:
        """Raises: TakenError; RubbishError."""
        parse(body)
        with self._lock:
            if self.titled(title) is not None:
                raise TakenError
            now = self.clock()
            page = Page(id=self._next(), title=title, body=body, parent=parent, created=now, updated=now)
            self._pages.append(page)
        self.changed()
        return page

    def edit(self, page: Page, *, title: str, body: str, version: int, author: str = "Muster") -> None:
        """Raises: StaleError; TakenError; RubbishError."""
        parse(body)
        with self._lock:
            if version != page.version + 1:
                raise StaleError
            if self.titled(title) not in (None, page):
                raise TakenError
            page.title, page.body, page.version, page.author = title, body, version, author
            page.updated = self.clock()
        self.changed()

    def write_note(self, page: Page, words: str) -> None:
        """Write at the end of a page, as a person does."""
        with self._lock:
            body = f"{page.body}<p>{_escaped(words)}</p>"
            self.edit(page, title=page.title, body=body, version=page.version + 1, author="Pam")

    def trash(self, page: Page) -> None:
        with self._lock:
            page.is_trashed = True
        self.changed()

    def add_property(self, page: Page, key: str, value: Any) -> Property | None:
        """Return None when there is one of that key."""
        with self._lock:
            if key in page.properties:
                return None
            page.properties[key] = made = Property(id=self._next(), key=key, value=value)
        return made

    def set_property(self, one: Property, value: Any, version: int) -> bool:
        """Return False when the version does not follow."""
        with self._lock:
            if version != one.version + 1:
                return False
            one.value, one.version = value, version
        return True

    def attach(self, page: Page, name: str, media_type: str, content: bytes) -> int:
        """Attach a file and return its version."""
        with self._lock:
            version = page.attachments.get(name, (0, "", b""))[0] + 1
            page.attachments[name] = (version, media_type, content)
        self.changed()
        return version

    def facts(self) -> list[dict[str, Any]]:
        """Return what the sandbox's page lists, newest first."""
        return [
            {
                "id": page.id,
                "title": page.title,
                "version": page.version,
                "url": self.url(page),
                "properties": {key: each.value for key, each in page.properties.items()},
                "updated": page.updated.isoformat(),
            }
            for page in reversed(self.all())
        ]

    def url(self, page: Page) -> str:
        return f"{self.base_url}{webui(page)}"

    def _next(self) -> str:
        with self._lock:
            self._numbers += 1
            return str(self._numbers)


def webui(page: Page) -> str:
    return f"/spaces/{SPACE}/pages/{page.id}"


def parse(body: str) -> ET.Element:
    """Return the body as a tree. Raises: RubbishError: it is not well formed."""
    for name, character in ENTITIES.items():
        body = body.replace(name, character)
    try:
        return ET.fromstring(ROOT.format(body))
    except ET.ParseError as error:
        raise RubbishError(str(error)) from error


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
