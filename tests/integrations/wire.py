"""The pretended Jira and Confluence on a wire without sockets, each request held against Atlassian's own contracts."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import flask
import jsonschema
import pytest
import requests
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from integrations.confluence import ConfluenceClient
from integrations.http import JsonClient
from integrations.jira import JiraClient
from sandbox import confluence_web, jira_v2
from sandbox.confluence import SPACE, ConfluenceWorld
from sandbox.faults import Faults
from sandbox.jira import EMAIL, PROJECT, TOKEN, JiraWorld
from tests.builders import ManualClock

SITE = "https://your-domain.atlassian.net"  # the server that Atlassian's document names
WIKI = "https://your-domain.atlassian.net/wiki"
CONTRACTS = Path(__file__).parents[3] / "shared" / "contracts"
# Asked by doctor and of the owner; the sliced contract leaves them out, and all of Data Center.
NOT_IN_THE_SLICE = re.compile(r"/rest/api/(2/|3/(issue/createmeta/|issueLink|user/|project/))")

Watch = Callable[[str, requests.PreparedRequest], None]


class _Socket:
    is_shut = False

    def shutdown(self, _how: int) -> None:
        self.is_shut = True


class Wire(BaseAdapter):
    """Carries requests to a WSGI app. `watch` is told "before" and "after" each one."""

    def __init__(self, app: flask.Flask, *, prefix: str = "", watch: Watch = lambda _when, _request: None) -> None:
        super().__init__()
        self._client = app.test_client()
        self._prefix = prefix
        self.watch = watch
        self.sent: list[requests.PreparedRequest] = []

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        self.watch("before", request)
        self.sent.append(request)
        connection = _Socket()
        reply = self._client.open(
            self._prefix + str(request.path_url),
            method=request.method,
            headers=list(request.headers.items()),
            data=request.body,
            environ_overrides={"werkzeug.socket": connection},
        )
        self.watch("after", request)
        if connection.is_shut:
            raise requests.ReadTimeout("no answer")
        raw = HTTPResponse(
            io.BytesIO(reply.data), headers=dict(reply.headers), status=reply.status_code, preload_content=False
        )
        response = requests.Response()
        response.status_code = reply.status_code
        response.headers.update(reply.headers)
        response.raw = raw
        response.request = request
        response.url = str(request.url)
        return response

    def close(self) -> None:
        """Nothing to close."""


def a_jira(clock: ManualClock, **faults: float | bool) -> JiraWorld:
    """Return a pretended Jira that holds no request open."""
    switches = Faults()
    switches.set(**faults)
    return JiraWorld(switches, clock, base_url=SITE, hang_s=0)


def a_wire(jira: JiraWorld, watch: Watch = lambda _when, _request: None) -> Wire:
    app = flask.Flask("jira")
    app.register_blueprint(jira_v2.blueprint(jira), url_prefix="/jira")
    return Wire(app, prefix="/jira", watch=watch)


def a_data_center_client(wire: Wire, *, token: str = TOKEN, kind: Literal["auto", "datacenter"] = "auto") -> JiraClient:
    headers = {"Authorization": f"Bearer {token}"}
    http = JsonClient("jira", SITE, headers=headers, adapter=wire, pause=lambda _seconds: None)
    return JiraClient(http, project=PROJECT, issue_type="Bug", kind=kind)


def a_client(wire: Wire, *, token: str = TOKEN, project: str = PROJECT, issue_type: str = "Bug") -> JiraClient:
    """Return our client on that wire; it never waits."""
    http = JsonClient("jira", SITE, auth=(EMAIL, token), adapter=wire, pause=lambda _seconds: None)
    return JiraClient(http, project=project, issue_type=issue_type)


def a_confluence(clock: ManualClock) -> ConfluenceWorld:
    return ConfluenceWorld(Faults(), clock, base_url=WIKI)


def a_wiki_wire(confluence: ConfluenceWorld, watch: Watch = lambda _when, _request: None) -> Wire:
    app = flask.Flask("confluence")
    app.register_blueprint(confluence_web.blueprint(confluence), url_prefix="/wiki")
    return Wire(app, watch=watch)


def a_wiki_client(wire: Wire, *, token: str = TOKEN, space: str = SPACE, parent: str | None = None) -> ConfluenceClient:
    http = JsonClient("confluence", WIKI, auth=(EMAIL, token), adapter=wire, pause=lambda _seconds: None)
    return ConfluenceClient(http, space=space, parent=parent)


@contextmanager
def held_to_contract(wire: Wire) -> Iterator[None]:
    """Afterwards, hold all that went over the wire against the contracts."""
    yield
    assert wire.sent, "nothing was sent"
    alike = {(each.method, re.sub(r"-\d+", "-1", str(each.path_url)), each.body): each for each in wire.sent}
    for request in alike.values():
        check_request(request)


def check_request(request: requests.PreparedRequest) -> None:
    if NOT_IN_THE_SLICE.search(str(request.path_url)):
        return
    if "/wiki/rest/api/content/" in str(request.path_url):
        return  # attachments are v1's, whose document is not among the contracts
    contract = confluence_contract() if str(request.path_url).startswith("/wiki/") else jira_contract()
    contract.validate_request(RequestsOpenAPIRequest(request))
    for document in _documents(json.loads(request.body) if request.body else {}):
        check_document(document)


def check_document(document: Mapping[str, Any]) -> None:
    """Raises: jsonschema.ValidationError: not Atlassian Document Format."""
    adf_contract().validate(document)


@functools.cache
def jira_contract() -> OpenAPI:
    # The slice is not checked against the specification of OpenAPI itself: it is not ours to mend.
    config = Config(spec_validator_cls=None)  # type: ignore[arg-type]
    return OpenAPI.from_file_path(str(_contract("jira-cloud-v3.openapi.json")), config=config)


@functools.cache
def confluence_contract() -> OpenAPI:
    config = Config(spec_validator_cls=None)  # type: ignore[arg-type]
    return OpenAPI.from_file_path(str(_contract("confluence-cloud-v2.openapi.json")), config=config)


@functools.cache
def adf_contract() -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(json.loads(_contract("adf.schema.json").read_text()))


def _contract(name: str) -> Path:
    path = CONTRACTS / name
    if not path.exists():
        pytest.skip(f"{path} is not here: contracts live outside the repository")
    return path


def _documents(body: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(body, dict):
        if body.get("type") == "doc":
            yield body
            return
        for value in body.values():
            yield from _documents(value)
