"""Our client against a pretended Data Center: the same calls in version 2, wiki markup, a personal token."""

from __future__ import annotations

import pytest

from core.errors import UpstreamError
from integrations import adf
from integrations.jira import IssueGoneError, JiraClient
from sandbox.jira import JiraWorld
from tests.builders import ManualClock
from tests.integrations.wire import Wire, a_client, a_data_center_client, a_jira, a_wire

MARK: dict[str, object] = {"fingerprint": "00112233445566ff"}
LABEL = "muster-00112233445566ff"


@pytest.fixture
def jira(clock: ManualClock) -> JiraWorld:
    jira = a_jira(clock)
    jira.deployment = "Server"
    return jira


@pytest.fixture
def wire(jira: JiraWorld) -> Wire:
    return a_wire(jira)


@pytest.fixture
def client(wire: Wire) -> JiraClient:
    return a_data_center_client(wire)


def create(client: JiraClient, **more: str) -> str:
    document = adf.document(adf.panel("error", "Worse: *all* of it."), adf.table(["a"], [["b|c"]]))
    return client.create(
        summary="kws is worse", description=document, labels=["muster", LABEL], properties={"muster": MARK}, **more
    )


def test_which_of_the_two_it_is_is_asked_once(client: JiraClient, wire: Wire) -> None:
    create(client)
    create(client)

    assert sum("serverInfo" in str(each.path_url) for each in wire.sent) == 1
    assert client.dialect.kind == "datacenter"


def test_told_which_it_is_nobody_is_asked(wire: Wire) -> None:
    create(a_data_center_client(wire, kind="datacenter"))

    assert [str(each.path_url) for each in wire.sent] == ["/rest/api/2/issue"]


def test_an_issue_is_written_in_wiki_markup_and_marked_in_the_same_call(client: JiraClient, jira: JiraWorld) -> None:
    create(client)

    (issue,) = jira.all()
    assert issue.description == "{panel:bgColor=#ffebe6}\nWorse: \\*all\\* of it.\n{panel}\n\n||a||\n|b\\|c|"
    assert (issue.labels, issue.properties) == (["muster", LABEL], {"muster": MARK})


def test_it_is_looked_up_by_its_property_which_the_old_search_does_not_tell(
    client: JiraClient, jira: JiraWorld
) -> None:
    jira.create({"summary": "CLONE", "issuetype": {"name": "Bug"}, "labels": [LABEL]}, {})
    key = create(client)

    found = client.look_up(label=LABEL, mark="muster", value=MARK)

    assert found.issue is not None
    assert found.issue.key == key


def test_a_lagging_node_is_walked_around_as_in_the_cloud(client: JiraClient, jira: JiraWorld) -> None:
    jira.create({"summary": "theirs", "issuetype": {"name": "Bug"}}, {})
    jira.faults.set(jira_lag_s=3600)
    key = create(client)

    found = client.look_up(label=LABEL, mark="muster", value=MARK, after=88)

    assert found.issue is not None
    assert found.issue.key == key


def test_comments_links_transitions_and_relations_work_alike(client: JiraClient, jira: JiraWorld) -> None:
    first, second = create(client), create(client)
    words = "muster 00112233445566ff band 5 after 20261114T090000"
    client.comment(first, adf.document(adf.paragraph("Worse."), adf.paragraph(adf.text(words, code=True))))
    client.put_link(first, global_id="muster:1", title="Muster", url="https://muster.example")
    client.relate(second, first)

    assert client.has_comment(first, words)
    assert not client.has_comment(first, "band 6")
    assert client.move(first, "done")
    assert [issue.related for issue in jira.all()] == [[second], [first]]


def test_an_assignee_is_named_not_numbered(client: JiraClient, jira: JiraWorld) -> None:
    account = client.find_account("mia")
    assert account == ("mia", "Mia")

    create(client, assignee="mia", component="Next word")

    assert (jira.all()[0].assignee, jira.all()[0].components) == ("mia", ("Next word",))


def test_doctor_is_content_and_names_a_wrong_token(wire: Wire) -> None:
    assert a_data_center_client(wire).check() == ()
    assert [problem.path for problem in a_data_center_client(wire, token="old").check()] == ["jira_token"]


def test_a_cloud_client_is_told_that_there_is_no_version_3(wire: Wire) -> None:
    with pytest.raises(UpstreamError, match="no API of version 3"):
        create(a_client(wire))


@pytest.mark.parametrize("deployment", ["Cloud", "Server"])
def test_what_was_deleted_is_gone_on_both(wire: Wire, jira: JiraWorld, deployment: str) -> None:
    jira.deployment = "Cloud" if deployment == "Cloud" else "Server"
    client = a_client(wire) if deployment == "Cloud" else a_data_center_client(wire)
    key = create(client)
    jira.delete(jira.all()[0])

    assert client.find(key) is None
    for act in (
        lambda: client.comment(key, adf.document(adf.paragraph("x"))),
        lambda: client.has_comment(key, "x"),
        lambda: client.move(key, "done"),
        lambda: client.put_link(key, global_id="g", title="t", url="https://x.example"),
    ):
        with pytest.raises(IssueGoneError):
            act()
