"""Confluence Cloud: one page, put where it belongs and kept up to date.

A title is unique in a space, so a page that was created without an answer is found by its title, exactly and at
once. What was put last stands in a content property; whoever edits the page leaves that alone.
https://developer.atlassian.com/cloud/confluence/rest/v2/ (attachments are still v1's)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from core.errors import Problem, UpstreamError
from integrations.http import JsonClient, OutcomeUnknownError, Reply, Upload

API: Final = "/api/v2"
PROPERTY: Final = "muster"
TITLE_CHARACTERS: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class WikiPage:
    """A page as it stands; `url` opens it."""

    id: str
    title: str
    version: int
    body: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What our content property says: which of our pages this is, and the hash of what was put last."""

    id: str
    version: int
    subject: str
    hash: str


class StaleError(UpstreamError):
    """Somebody changed the page since it was read: read it again."""

    def __init__(self, service: str) -> None:
        super().__init__(service, "the page was changed meanwhile", permanent=False)


class ConfluenceClient:
    def __init__(self, http: JsonClient, *, space: str, parent: str | None = None) -> None:
        """`space` is a key such as ML; `parent` the id of the page under which new ones are put."""
        self._http = http
        self.space = space
        self.parent = parent
        self._space_id: str | None = None

    def create(self, *, title: str, body: str) -> WikiPage:
        """Raises: UpstreamError: permanent when there is a page of this title already."""
        wanted: dict[str, Any] = {
            "spaceId": self.space_id(),
            "status": "current",
            "title": one_title(title),
            "body": {"representation": "storage", "value": body},
        }
        if self.parent is not None:
            wanted["parentId"] = self.parent
        return self._page(self._http.request("POST", f"{API}/pages", wanted), body)

    def find(self, page_id: str) -> WikiPage | None:
        """Return the page; None when it was deleted or is in the trash."""
        params = {"body-format": "storage"}
        reply = self._http.request("GET", _path(page_id), params=params, accept=frozenset({404}))
        if reply.status == 404 or _of(reply.body, "status", "current") != "current":
            return None
        return self._page(reply)

    def find_titled(self, title: str) -> WikiPage | None:
        params = {"space-id": self.space_id(), "title": one_title(title), "status": "current", "body-format": "storage"}
        found = self._told(self._http.request("GET", f"{API}/pages", params=params), "results")
        return self._parsed(found[0]) if found else None

    def update(self, page: WikiPage, *, title: str, body: str) -> WikiPage:
        """Put a new version. Raises: StaleError: somebody was faster."""
        wanted = {
            "id": page.id,
            "status": "current",
            "title": one_title(title),
            "body": {"representation": "storage", "value": body},
            "version": {"number": page.version + 1, "message": "Put by Muster"},
        }
        reply = self._http.request("PUT", _path(page.id), wanted, accept=frozenset({409}))
        if reply.status == 409:
            raise StaleError(self._http.service)
        return self._page(reply, body)

    def mark_of(self, page_id: str) -> Mark | None:
        reply = self._http.request("GET", f"{_path(page_id)}/properties", params={"key": PROPERTY})
        for each in self._told(reply, "results"):
            value = each.get("value")
            if isinstance(value, Mapping) and each.get("key") == PROPERTY:
                return Mark(
                    id=str(each["id"]),
                    version=int(each["version"]["number"]),
                    subject=str(value.get("subject")),
                    hash=str(value.get("hash")),
                )
        return None

    def put_mark(self, page_id: str, before: Mark | None, *, subject: str, content_hash: str) -> None:
        """Raises: StaleError: another process put its own."""
        value = {"subject": subject, "hash": content_hash}
        body: dict[str, Any] = {"key": PROPERTY, "value": value}
        place = f"{_path(page_id)}/properties"
        if before is None:
            reply = self._http.request("POST", place, body, accept=frozenset({409}))
        else:
            body["version"] = {"number": before.version + 1}
            reply = self._http.request("PUT", f"{place}/{quote(before.id, safe='')}", body, accept=frozenset({409}))
        if reply.status == 409:
            raise StaleError(self._http.service)

    def attach(self, page_id: str, upload: Upload) -> None:
        """Attach a file; one of the same name becomes its next version."""
        self._http.request("PUT", f"/rest/api/content/{quote(page_id, safe='')}/child/attachment", upload=upload)

    def space_id(self) -> str:
        """Return the number of the space, which v2 wants in place of its key."""
        if self._space_id is None:
            found = self._told(self._http.request("GET", f"{API}/spaces", params={"keys": self.space}), "results")
            if not found:
                raise UpstreamError("confluence", f"there is no space {self.space!r} for our account", permanent=True)
            self._space_id = str(found[0]["id"])
        return self._space_id

    def check(self) -> tuple[Problem, ...]:
        """Return what keeps pages from being put, with what to do about it; nothing when all is well."""
        try:
            reply = self._http.request(
                "GET", f"{API}/spaces", params={"keys": self.space}, accept=frozenset({401, 403})
            )
            if reply.status in (401, 403):
                told = "Confluence does not accept the account and token; make a new API token"
                return (Problem("confluence_token", told),)
            if not self._told(reply, "results"):
                told = f"{self.space!r} does not exist, or the account may not see it"
                return (Problem("confluence_space", told),)
            if self.parent is not None and self.find(self.parent) is None:
                return (
                    Problem("confluence_parent", f"there is no page {self.parent}; take the number in its address"),
                )
        except UpstreamError as error:
            return (Problem("confluence_url", error.message.removeprefix("confluence: ")),)
        return ()

    def _page(self, reply: Reply, body: str | None = None) -> WikiPage:
        if not isinstance(reply.body, dict) or "id" not in reply.body:
            raise OutcomeUnknownError(self._http.service, f"answered HTTP {reply.status} without a page")
        return self._parsed(reply.body, body)

    def _parsed(self, told: Mapping[str, Any], body: str | None = None) -> WikiPage:
        links = told.get("_links") or {}
        base = str(links.get("base") or self._http.base_url)
        page_id = str(told["id"])
        return WikiPage(
            id=page_id,
            title=str(told.get("title")),
            version=int((told.get("version") or {}).get("number", 1)),
            body=body if body is not None else str(((told.get("body") or {}).get("storage") or {}).get("value") or ""),
            url=base + str(links.get("webui") or f"/pages/viewpage.action?pageId={page_id}"),
        )

    def _told(self, reply: Reply, name: str) -> Any:
        if not isinstance(reply.body, dict) or name not in reply.body:
            raise OutcomeUnknownError(self._http.service, f"answered HTTP {reply.status} without {name!r}")
        return reply.body[name]


def one_title(plain: str) -> str:
    """Return a title of one line and at most 255 characters."""
    line = " ".join(plain.split()) or "–"
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1] + "…"


def _of(body: Any, name: str, default: object) -> object:
    return body.get(name, default) if isinstance(body, dict) else default


def _path(page_id: str) -> str:
    return f"{API}/pages/{quote(page_id, safe='')}"
