"""How the two Jiras differ: Cloud (v3, documents, lagging search) and Data Center (v2, wiki markup, old search)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from integrations import adf
from integrations.wiki_markup import from_document

Kind = Literal["cloud", "datacenter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """`has_lagging_search`: it returns properties, and is told which issues to reconcile; the old one does neither."""

    kind: Kind
    api: str
    has_lagging_search: bool

    def text(self, document: adf.Node) -> object:
        """Return a description or comment as this Jira takes it."""
        return document if self.kind == "cloud" else from_document(document)

    def plain(self, body: object) -> str:
        """Return what a comment says."""
        if isinstance(body, Mapping):
            return adf.plain_text(dict(body))
        return str(body or "").replace("\\", "")

    def account(self, name: str) -> dict[str, Any]:
        """Return an assignee: by account id in the Cloud, by user name elsewhere."""
        return {"accountId": name} if self.kind == "cloud" else {"name": name}


CLOUD = Dialect(kind="cloud", api="/rest/api/3", has_lagging_search=True)
DATA_CENTER = Dialect(kind="datacenter", api="/rest/api/2", has_lagging_search=False)
