"""Zigpoll's REST interface: the responses of one poll, page by page.

The key stands bare in `Authorization`; a missing or wrong one is answered with 422. https://apidocs.zigpoll.com
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from core.errors import UpstreamError
from integrations.http import JsonClient

PAGE_ROWS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows as they came, and the cursor that the next page starts after; None on the last one."""

    rows: list[Any]
    cursor: str | None


class ZigpollClient:
    def __init__(self, http: JsonClient) -> None:
        self._http = http

    def pages(self, poll: str, *, after: str | None = None) -> Iterator[Page]:
        """Yield the pages of a poll's responses that come after a cursor.

        Raises: UpstreamError: permanent when the key is refused or what came is no page.
        """
        cursor, seen = after, {after}
        while True:
            page = self._page(poll, cursor)
            # A cursor that comes again would lead round in circles for ever.
            cursor = None if page.cursor in seen else page.cursor
            seen.add(cursor)
            yield Page(rows=page.rows, cursor=cursor)
            if cursor is None:
                return

    def _page(self, poll: str, cursor: str | None) -> Page:
        params = {"pollId": poll, "limit": str(PAGE_ROWS)} | ({"startCursor": cursor} if cursor else {})
        reply = self._http.request("GET", "/responses", params=params, accept=frozenset({401, 403, 422}))
        if reply.status >= 400:
            raise UpstreamError("zigpoll", "refuses the key; make a private key under Integrations", permanent=True)
        body = reply.body
        rows = body.get("data") if isinstance(body, dict) else body
        if not isinstance(rows, list):
            raise UpstreamError("zigpoll", "answered without a list of responses", permanent=True)
        goes_on = isinstance(body, dict) and body.get("hasNextPage") is True and body.get("endCursor")
        return Page(rows=rows, cursor=str(body["endCursor"]) if goes_on else None)
