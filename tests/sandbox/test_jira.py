"""The pretended Jira answers as Jira does, and refuses what Jira refuses."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.jira import EMAIL, TOKEN, JiraWorld
from tests.builders import ManualClock
from tests.integrations.wire import SITE, a_jira, a_wire
from tests.sandbox.jira_client import API, DOCUMENT, FIELDS, LONG, Client


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


def test_facts_for_the_page_are_newest_first(client: Client, jira: JiraWorld) -> None:
    keys = [client.create() for _ in range(2)]

    assert [each["key"] for each in jira.facts()] == keys[::-1]
    assert jira.facts()[0]["url"] == f"{SITE}/browse/{keys[1]}"
    assert jira.facts()[0]["status"] == "To Do"
