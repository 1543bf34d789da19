"""The pretended search: what it finds, what it does not know yet, what it does not understand."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.jira import JiraWorld
from sandbox.jira_search import JqlError, parse
from tests.builders import ManualClock
from tests.integrations.wire import a_jira, a_wire
from tests.sandbox.jira_client import Client


@pytest.fixture
def jira(clock: ManualClock) -> JiraWorld:
    return a_jira(clock)


@pytest.fixture
def client(jira: JiraWorld) -> Client:
    return Client(a_wire(jira))


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
