"""The pretended Jira answers as Jira does: what it refuses, what it forgets to index, how it fails."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import flask
import pytest
import requests
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from werkzeug.serving import make_server

from sandbox import jira_web
from sandbox.faults import Faults
from sandbox.jira import EMAIL, TOKEN, JiraWorld
from sandbox.jira_page import render_document
from sandbox.jira_search import JqlError, parse
from sandbox.jira_webhook import JiraWebhook
from tests.builders import ManualClock
from tests.integrations.wire import SITE, Wire, a_jira, a_wire, jira_contract

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


@pytest.fixture
def jira(clock: ManualClock) -> JiraWorld:
    return a_jira(clock)


@pytest.fixture
def client(jira: JiraWorld) -> Client:
    return Client(a_wire(jira))


def test_a_created_issue_is_read_as_it_was_written(client: Client) -> None:
    key = client.create()
    fields = client("GET", f"/issue/{key}").json()["fields"]

    assert {name: fields[name] for name in ("summary", "description", "labels")} == {
        name: FIELDS[name] for name in ("summary", "description", "labels")
    }
    assert fields["status"]["statusCategory"]["key"] == "new"


@pytest.mark.parametrize(
    ("changes", "field", "complaint"),
    [
        ({"project": {"key": "NONE"}}, "project", "valid project is required"),
        ({"project": None}, "project", "Specify a valid project ID or key"),
        ({"issuetype": {"name": "Regression"}}, "issuetype", "Specify a valid issue type"),
        ({"issuetype": None}, "issuetype", "Specify an issue type"),
        ({"summary": ""}, "summary", "You must specify a summary of the issue."),
        ({"summary": None}, "summary", "Summary is required."),
        ({"summary": 7}, "summary", "must be a string"),
        ({"summary": "two\nlines"}, "summary", "newline characters"),
        ({"summary": "x" * 256}, "summary", "255 characters"),
        ({"labels": ["two words"]}, "labels", "contains spaces"),
        ({"labels": "muster"}, "labels", "not an array"),
        ({"labels": ["x" * 256]}, "labels", "maximum length"),
        ({"description": "plain"}, "description", "Atlassian Document"),
        ({"description": {**DOCUMENT, "version": 2}}, "description", "Atlassian Document"),
        ({"description": {**DOCUMENT, "content": [{"type": "marquee"}]}}, "description", "Atlassian Document"),
        ({"description": {**DOCUMENT, "content": [{"type": "text", "text": "loose"}]}}, "description", "Atlassian"),
        ({"description": {**DOCUMENT, "content": [{"type": "bulletList", "content": []}]}}, "description", "Atlassian"),
        ({"description": {**DOCUMENT, "content": [LONG]}}, "description", "32,767 characters"),
        ({"customfield_1": 5}, "customfield_1", "cannot be set"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_in_jiras_shape(
    client: Client, jira: JiraWorld, changes: dict[str, Any], field: str, complaint: str
) -> None:
    reply = client("POST", "/issue", {"fields": FIELDS | changes})

    assert reply.status_code == 400
    assert complaint in reply.json()["errors"][field]
    assert jira.all() == ()


def test_all_wrong_fields_are_told_at_once(client: Client) -> None:
    errors = client("POST", "/issue", {"fields": {}}).json()["errors"]

    assert set(errors) == {"project", "issuetype", "summary"}


def test_a_property_too_large_is_refused(client: Client) -> None:
    body = {"fields": FIELDS, "properties": [{"key": "muster", "value": "x" * 40_000}]}

    assert client("POST", "/issue", body).status_code == 400


def test_a_body_that_is_no_json_is_refused(client: Client) -> None:
    reply = client.session.post(f"{SITE}{API}/issue", data=b"{", headers={"Content-Type": "application/json"})

    assert reply.status_code == 400


def test_without_the_right_account_nothing_is_told(jira: JiraWorld) -> None:
    for auth in (None, (EMAIL, "wrong"), ("other@example.com", TOKEN)):
        client = Client(a_wire(jira))
        client.session.auth = auth
        assert client("GET", "/myself").status_code == 401


def test_what_is_not_there_is_a_404_in_jiras_words(client: Client) -> None:
    for method, path in (("GET", "/issue/EDGE-1"), ("POST", "/issue/EDGE-1/comment"), ("GET", "/issue/EDGE-1/comment")):
        reply = client(method, path, {} if method == "POST" else None)
        assert reply.status_code == 404
        assert reply.json()["errorMessages"] == ["Issue does not exist or you do not have permission to see it."]


def test_search_finds_a_new_issue_only_after_the_lag(client: Client, jira: JiraWorld, clock: ManualClock) -> None:
    jira.faults.set(jira_lag_s=60)
    key = client.create()

    assert client.keys("project = EDGE") == []
    clock.advance(seconds=60)
    assert client.keys("project = EDGE") == [key]


def test_search_knows_the_old_labels_until_the_lag_is_over(client: Client, jira: JiraWorld, clock: ManualClock) -> None:
    key = client.create()
    clock.advance(seconds=1)
    jira.faults.set(jira_lag_s=0)
    client("PUT", f"/issue/{key}", {"fields": {"labels": ["new"]}})
    jira.faults.set(jira_lag_s=1)

    assert client.keys("labels = muster") == [key]
    assert client.keys("labels = new", reconcileIssues=[jira.all()[0].id]) == [key]
    clock.advance(seconds=1)
    assert client.keys("labels = new") == [key]


def test_search_returns_only_ids_unless_fields_are_named(client: Client) -> None:
    client.create()
    (issue,) = client("POST", "/search/jql", {"jql": "project = EDGE"}).json()["issues"]

    assert set(issue) == {"id"}


def test_search_gives_pages(client: Client) -> None:
    keys = [client.create() for _ in range(5)]
    body: dict[str, Any] = {"jql": "project = EDGE ORDER BY key ASC", "maxResults": 2, "fields": ["summary"]}
    seen: list[str] = []
    while True:
        page = client("POST", "/search/jql", body).json()
        seen += [issue["key"] for issue in page["issues"]]
        if page["isLast"]:
            break
        body["nextPageToken"] = page["nextPageToken"]

    assert seen == keys


def test_search_works_as_a_get_too(client: Client) -> None:
    key = client.create()
    reply = client("GET", "/search/jql", jql="labels = muster", fields="summary,status")

    assert [issue["key"] for issue in reply.json()["issues"]] == [key]


@pytest.mark.parametrize(
    "body",
    [
        {"jql": "ORDER BY created"},
        {"jql": ""},
        {"jql": "project = EDGE AND"},
        {"jql": "mood = bad"},
        {"jql": "project = EDGE", "reconcileIssues": list(range(51))},
    ],
)
def test_a_search_that_jira_would_refuse_is_refused(client: Client, body: dict[str, Any]) -> None:
    assert client("POST", "/search/jql", body).status_code == 400


@pytest.mark.parametrize(
    ("jql", "matches"),
    [
        ("project = EDGE", True),
        ('project = "EDGE" AND labels = muster', True),
        ("labels in (a, muster)", True),
        ("labels not in (muster)", False),
        ("labels != other", True),
        ("labels is EMPTY", False),
        ("labels is not EMPTY", True),
        ("NOT (labels = muster OR key = EDGE-1)", False),
        ("key = EDGE-1 OR summary ~ worse", True),
        ("summary !~ worse", False),
        ("statusCategory = Done", False),
        ('statusCategory = "To Do" ORDER BY created DESC, key', True),
        ("issue = edge-88", True),
    ],
)
def test_jql_is_understood_as_people_write_it(client: Client, jql: str, matches: bool) -> None:
    key = client.create()

    assert client.keys(jql) == ([key] if matches else [])


@pytest.mark.parametrize(
    "jql", ["labels =", "labels in (a", "(labels = a", "labels = a b", "order created", "labels < a", "?"]
)
def test_half_a_query_is_a_mistake(jql: str) -> None:
    with pytest.raises(JqlError):
        parse(jql)


def test_an_issue_moves_only_along_its_transitions(client: Client) -> None:
    key = client.create()
    offered = client("GET", f"/issue/{key}/transitions").json()["transitions"]
    done = next(each for each in offered if each["to"]["statusCategory"]["key"] == "done")

    assert client("POST", f"/issue/{key}/transitions", {"transition": {"id": done["id"]}}).status_code == 204
    again = client("POST", f"/issue/{key}/transitions", {"transition": {"id": done["id"]}})
    assert again.status_code == 400
    assert client("GET", f"/issue/{key}").json()["fields"]["resolution"] == {"name": "Done"}


def test_the_same_link_twice_is_updated_and_can_be_taken_away(client: Client) -> None:
    key = client.create()
    link = {"globalId": "muster:1", "object": {"url": "https://a.example", "title": "a"}}

    assert client("POST", f"/issue/{key}/remotelink", link).status_code == 201
    assert client("POST", f"/issue/{key}/remotelink", link).status_code == 200
    assert len(client("GET", f"/issue/{key}/remotelink").json()) == 1
    assert client("DELETE", f"/issue/{key}/remotelink", globalId="muster:1").status_code == 204
    assert client("DELETE", f"/issue/{key}/remotelink", globalId="muster:1").status_code == 404


@pytest.mark.parametrize("link", [{}, {"object": {"title": "a"}}, {"object": {"url": "javascript:x", "title": "a"}}])
def test_a_wrong_link_is_refused(client: Client, link: dict[str, Any]) -> None:
    key = client.create()

    assert client("POST", f"/issue/{key}/remotelink", link).status_code == 400


def test_properties_are_put_read_and_dropped(client: Client) -> None:
    path = f"/issue/{client.create()}/properties/muster"

    assert client("PUT", path, {"fingerprint": "ab"}).status_code == 201
    assert client("PUT", path, {"fingerprint": "cd"}).status_code == 200
    assert client("GET", path).json()["value"] == {"fingerprint": "cd"}
    assert client("DELETE", path).status_code == 204
    assert client("GET", path).status_code == 404


def test_comments_come_in_the_order_asked_for(client: Client) -> None:
    key = client.create()
    for word in ("one", "two"):
        body = {"body": {**DOCUMENT, "content": [{"type": "paragraph", "content": [{"type": "text", "text": word}]}]}}
        assert client("POST", f"/issue/{key}/comment", body).status_code == 201

    newest = client("GET", f"/issue/{key}/comment", orderBy="-created", maxResults="1").json()
    assert newest["total"] == 2
    assert newest["comments"][0]["body"]["content"][0]["content"][0]["text"] == "two"


def test_a_comment_that_is_no_document_is_refused(client: Client) -> None:
    assert client("POST", f"/issue/{client.create()}/comment", {"body": "plain"}).status_code == 400


def test_a_deleted_issue_is_gone_and_its_key_is_not_given_again(client: Client) -> None:
    key = client.create()
    assert client("DELETE", f"/issue/{key}").status_code == 204

    assert client("GET", f"/issue/{key}").status_code == 404
    assert client.keys("project = EDGE") == []
    assert client.create() != key


def test_too_many_requests_say_when_to_come_again(client: Client, jira: JiraWorld) -> None:
    jira.faults.set(jira_429=1)
    reply = client("GET", "/myself")

    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "1")
    assert reply.headers["RateLimit-Reason"] == "jira-burst-based"
    assert client("GET", "/myself").status_code == 200


def test_an_outage_answers_503_and_does_nothing(client: Client, jira: JiraWorld) -> None:
    jira.faults.set(jira_down=True)

    assert client("POST", "/issue", {"fields": FIELDS}).status_code == 503
    assert jira.all() == ()


@pytest.fixture
def served(jira: JiraWorld) -> Iterator[str]:
    app = flask.Flask("jira")
    app.register_blueprint(jira_web.blueprint(jira), url_prefix="/jira")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/jira"
    jira.close()
    server.shutdown()
    thread.join(5)
    server.server_close()


def post(url: str, timeout_s: float) -> requests.Response:
    return requests.post(f"{url}{API}/issue", json={"fields": FIELDS}, auth=(EMAIL, TOKEN), timeout=timeout_s)


def test_a_create_can_be_carried_out_and_never_answered(served: str, jira: JiraWorld) -> None:
    jira.faults.set(jira_timeout_after_create=1)
    jira.hang_s = 30.0

    with pytest.raises(requests.ReadTimeout):
        post(served, 0.2)

    assert len(jira.all()) == 1
    assert post(served, 5).status_code == 201


def test_a_connection_held_open_breaks_in_the_end(served: str, jira: JiraWorld) -> None:
    jira.faults.set(jira_timeout_after_create=1)
    jira.hang_s = 0.0

    with pytest.raises(requests.ConnectionError):
        post(served, 5)


def test_an_outage_can_drop_connections(served: str, jira: JiraWorld) -> None:
    jira.faults.set(jira_down=True)
    jira.drops_when_down = True

    with pytest.raises(requests.ConnectionError):
        post(served, 5)
    assert jira.all() == ()


def test_the_page_shows_a_ticket_with_its_document_and_moves_it(jira: JiraWorld) -> None:
    app = flask.Flask("jira")
    app.register_blueprint(jira_web.blueprint(jira), url_prefix="/jira")
    browser = app.test_client()
    nasty = {**DOCUMENT, "content": [{"type": "paragraph", "content": [{"type": "text", "text": "<script>"}]}]}
    jira.create({"summary": "kws <b>worse</b>", "issuetype": {"name": "Bug"}, "description": nasty}, {})
    jira.comment(jira.all()[0], DOCUMENT)

    page = browser.get("/jira/browse/EDGE-88").text
    assert "kws &lt;b&gt;worse&lt;/b&gt;" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "Comments (1)" in page
    assert "EDGE-88" in browser.get("/jira/").text
    assert browser.get("/jira/browse/EDGE-1").status_code == 404

    assert browser.post("/jira/browse/EDGE-88/move/31").status_code == 303
    assert "Done" in browser.get("/jira/browse/EDGE-88").text
    assert browser.post("/jira/browse/EDGE-88/move/99").status_code == 404


def test_a_document_never_becomes_markup_or_a_script_link() -> None:
    link = {"type": "link", "attrs": {"href": "javascript:alert(1)"}}
    html = render_document({"type": "paragraph", "content": [{"type": "text", "text": "<i>", "marks": [link]}]})

    assert str(html) == "<p>&lt;i&gt;</p>"


def test_facts_for_the_page_are_newest_first(client: Client, jira: JiraWorld) -> None:
    keys = [client.create() for _ in range(2)]

    assert [each["key"] for each in jira.facts()] == keys[::-1]
    assert jira.facts()[0]["url"] == f"{SITE}/browse/{keys[1]}"
    assert jira.facts()[0]["status"] == "To Do"


def test_a_webhook_is_signed_and_keeps_its_identifier_when_sent_again(jira: JiraWorld, clock: ManualClock) -> None:
    taken: list[tuple[Mapping[str, str], bytes]] = []

    def deliver(url: str, headers: Mapping[str, str], body: bytes) -> int:
        taken.append((headers, body))
        if len(taken) == 1:
            raise ConnectionError
        return 503 if len(taken) == 2 else 204

    webhook = JiraWebhook("http://muster.test/jira", "secret", clock, deliver=deliver)
    body = b'{"webhookEvent": "jira:issue_updated"}'

    assert webhook.send("id-1", body)
    assert len(taken) == 3
    headers = [headers for headers, _ in taken]
    assert {each["X-Atlassian-Webhook-Identifier"] for each in headers} == {"id-1"}
    expected = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert headers[0]["X-Hub-Signature"] == f"sha256={expected}"


def test_a_webhook_that_nobody_takes_is_given_up(clock: ManualClock) -> None:
    webhook = JiraWebhook("http://muster.test/jira", "secret", clock, deliver=lambda *_: 500)

    assert not webhook.send("id-1", b"{}")


def test_every_change_of_an_issue_is_told(clock: ManualClock) -> None:
    told: list[dict[str, Any]] = []
    arrived = threading.Event()

    def deliver(_url: str, _headers: Mapping[str, str], body: bytes) -> int:
        told.append(json.loads(body))
        if len(told) == 3:
            arrived.set()
        return 204

    webhook = JiraWebhook("http://muster.test/jira", "secret", clock, deliver=deliver)
    jira = JiraWorld(Faults(), clock, hook=webhook)
    issue = jira.create({"summary": "x", "issuetype": {"name": "Bug"}}, {})
    jira.comment(issue, DOCUMENT)
    jira.move(issue, jira.transitions(issue)[-1])

    assert arrived.wait(5)
    assert {each["webhookEvent"] for each in told} == {"jira:issue_created", "comment_created", "jira:issue_updated"}
    moved = next(each for each in told if each["webhookEvent"] == "jira:issue_updated")
    assert {"field": "resolution", "fromString": None, "toString": "Won't Do"} in moved["changelog"]["items"]
