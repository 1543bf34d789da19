"""Any client of Jira, for tests of the pretended one."""

from __future__ import annotations

import io
from typing import Any

import requests
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

from sandbox.jira import EMAIL, TOKEN
from tests.integrations.wire import SITE, Wire, jira_contract

API = "/rest/api/3"
DOCUMENT = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": "x"}]}]}
LONG = {"type": "codeBlock", "content": [{"type": "text", "text": "x" * 40_000}]}
FIELDS: dict[str, Any] = {
    "project": {"key": "EDGE"},
    "issuetype": {"name": "Bug"},
    "summary": "kws is worse",
    "description": DOCUMENT,
    "labels": ["muster"],
}


class Client:
    """Any client of Jira; what comes back is held against Atlassian's contract."""

    def __init__(self, wire: Wire) -> None:
        self.session = requests.Session()
        self.session.auth = (EMAIL, TOKEN)
        self.session.mount(SITE, wire)

    def __call__(self, method: str, path: str, body: object = None, **params: str) -> requests.Response:
        reply = self.session.request(method, f"{SITE}{API}{path}", json=body, params=params)
        if reply.ok and reply.content:
            jira_contract().validate_response(RequestsOpenAPIRequest(reply.request), told(reply))
        return reply

    def create(self, **changes: Any) -> str:
        reply = self("POST", "/issue", {"fields": FIELDS | changes})
        assert reply.status_code == 201, reply.text
        return str(reply.json()["key"])

    def keys(self, jql: str, **more: Any) -> list[str]:
        reply = self("POST", "/search/jql", {"jql": jql, "fields": ["summary"], **more})
        return [issue["key"] for issue in reply.json()["issues"]]


def told(reply: requests.Response) -> RequestsOpenAPIResponse:
    """Return the reply for the contract, which wants +00:00 where Jira itself writes +0000."""
    copy = requests.Response()
    copy.status_code = reply.status_code
    copy.headers = reply.headers
    copy.raw = io.BytesIO(reply.content.replace(b'+0000"', b'+00:00"'))
    return RequestsOpenAPIResponse(copy)
