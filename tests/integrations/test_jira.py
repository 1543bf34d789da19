"""Our client against the pretended Jira, each request held to Atlassian's contract."""

from __future__ import annotations

from collections.abc import Iterator

import openapi_core
import pytest
import requests

from core.errors import UpstreamError
from integrations import adf
from integrations.http import OutcomeUnknownError
from integrations.jira import JiraClient, key_number, one_line
from sandbox.jira import JiraWorld
from tests.builders import ManualClock
from tests.integrations.wire import SITE, Wire, a_client, a_jira, a_wire, check_request, held_to_contract

MARK = {"fingerprint": "00112233445566ff"}
LABEL = "muster-00112233445566ff"
FINGERPRINT = "00112233445566ff"


@pytest.fixture
def jira(clock: ManualClock) -> JiraWorld:
    return a_jira(clock)


@pytest.fixture
def wire(jira: JiraWorld) -> Iterator[Wire]:
    wire = a_wire(jira)
    with held_to_contract(wire):
        yield wire


@pytest.fixture
def client(wire: Wire) -> JiraClient:
    return a_client(wire)


def create(client: JiraClient, *, summary: str = "kws is worse", label: str = LABEL, mark: object = MARK) -> str:
    document = adf.document(adf.panel("error", "Worse."), adf.table(["a"], [["b"]]))
    return client.create(summary=summary, description=document, labels=["muster", label], properties={"muster": mark})


def test_creates_an_issue_marked_in_the_same_call(client: JiraClient, jira: JiraWorld, wire: Wire) -> None:
    key = create(client)

    issue = jira.find(key)
    assert issue is not None
    assert (issue.labels, issue.properties) == (["muster", LABEL], {"muster": MARK})
    assert len(wire.sent) == 1


def test_a_summary_is_made_one_line_of_255_characters(client: JiraClient, jira: JiraWorld) -> None:
    create(client, summary="worse\nand worse " + "x" * 400)

    assert len(jira.all()[0].summary) == 255


def test_an_issue_is_read_exactly_by_its_key_however_the_index_lags(client: JiraClient, jira: JiraWorld) -> None:
    jira.faults.set(jira_lag_s=3600)
    key = create(client)

    issue = client.find(key, properties=["muster"])

    assert issue is not None
    assert issue.properties == {"muster": MARK}
    assert client.search('project = "EDGE"') == ()


def test_an_issue_that_is_not_there_is_none(client: JiraClient) -> None:
    assert client.find("EDGE-1") is None


def test_search_sees_what_it_is_told_to_reconcile(client: JiraClient, jira: JiraWorld) -> None:
    jira.faults.set(jira_lag_s=3600)
    create(client)
    number = jira.all()[0].id

    assert [issue.id for issue in client.search('project = "EDGE"', reconcile=[number])] == [str(number)]


def test_a_look_up_without_a_known_key_trusts_only_the_index(client: JiraClient, jira: JiraWorld) -> None:
    jira.faults.set(jira_lag_s=3600)
    create(client)

    found = client.look_up(label=LABEL, mark="muster", value=MARK)

    assert (found.issue, found.certain, found.newest) == (None, False, 0)


def test_a_look_up_from_a_known_key_finds_what_the_index_does_not_know(
    client: JiraClient, jira: JiraWorld, clock: ManualClock
) -> None:
    create(client, label="other", mark={"fingerprint": "other"})
    clock.advance(hours=2)
    jira.faults.set(jira_lag_s=3600)
    known = client.look_up(label=LABEL, mark="muster", value=MARK).newest
    key = create(client)

    found = client.look_up(label=LABEL, mark="muster", value=MARK, after=known)

    assert known == key_number(key) - 1
    assert found.issue is not None
    assert found.issue.key == key


def test_a_look_up_finds_an_issue_older_than_one_the_index_knows(
    client: JiraClient, jira: JiraWorld, clock: ManualClock
) -> None:
    key = create(client)
    ours = jira.all()[0]
    create(client, label="other", mark={"fingerprint": "other"})
    ours.seen = [(clock.now.replace(year=2099), ours.facts())]  # the index took the later one first

    found = client.look_up(label=LABEL, mark="muster", value=MARK, after=0)

    assert found.newest == key_number(key) + 1
    assert found.issue is not None
    assert found.issue.key == key


def test_absence_is_certain_once_the_keys_end(client: JiraClient) -> None:
    create(client, label="other", mark={"fingerprint": "other"})
    newest = client.look_up(label=LABEL, mark="muster", value=MARK).newest

    found = client.look_up(label=LABEL, mark="muster", value=MARK, after=newest)

    assert (found.issue, found.certain) == (None, True)


def test_absence_is_not_certain_while_there_are_more_new_issues_than_one_look_reads(
    client: JiraClient, jira: JiraWorld
) -> None:
    for _ in range(201):
        jira.create({"summary": "theirs", "issuetype": {"name": "Task"}}, {})

    found = client.look_up(label=LABEL, mark="muster", value=MARK, after=87)

    assert (found.issue, found.certain) == (None, False)


def test_in_a_project_of_which_nothing_is_known_the_first_key_may_be_any(client: JiraClient, jira: JiraWorld) -> None:
    jira.faults.set(jira_lag_s=3600)
    key = create(client)

    found = client.look_up(label=LABEL, mark="muster", value=MARK, after=0)

    assert key_number(key) > 20
    assert found.issue is not None
    assert found.issue.key == key


def test_a_clone_that_copied_the_label_is_not_ours(client: JiraClient, jira: JiraWorld) -> None:
    jira.create({"summary": "CLONE", "issuetype": {"name": "Bug"}, "labels": [LABEL]}, {})

    assert client.look_up(label=LABEL, mark="muster", value=MARK).issue is None


def test_of_two_that_are_ours_the_oldest_is_taken(client: JiraClient) -> None:
    first = create(client)
    create(client)

    found = client.look_up(label=LABEL, mark="muster", value=MARK)

    assert found.issue is not None
    assert found.issue.key == first


def test_a_comment_is_found_again_by_its_words(client: JiraClient) -> None:
    key = create(client)
    client.comment(key, adf.document(adf.paragraph("Worse."), adf.paragraph(adf.text("muster band 3", code=True))))

    assert client.has_comment(key, "muster band 3")
    assert not client.has_comment(key, "muster band 4")


def test_the_same_link_twice_is_one_link(client: JiraClient, jira: JiraWorld) -> None:
    key = create(client)
    for title in ("Muster R11", "Muster R12"):
        client.put_link(key, global_id=f"muster:{FINGERPRINT}", title=title, url="https://muster.example/R12")

    assert [link["object"]["title"] for link in jira.all()[0].links] == ["Muster R12"]


def test_moves_by_the_category_of_the_status_whatever_its_name(client: JiraClient, jira: JiraWorld) -> None:
    key = create(client)

    assert client.move(key, "done")
    moved = client.find(key)
    assert moved is not None
    assert (moved.category, moved.resolution) == ("done", "Done")


def test_a_workflow_without_such_a_status_is_left_alone(client: JiraClient, jira: JiraWorld) -> None:
    key = create(client)

    assert not client.move(key, "new")  # it is there already, and no transition leads to where it is
    assert jira.all()[0].status == "1"


def test_an_issue_of_a_person_can_be_marked_as_ours(client: JiraClient, jira: JiraWorld) -> None:
    issue = jira.create({"summary": "theirs", "issuetype": {"name": "Bug"}, "labels": [LABEL]}, {})
    client.put_property(issue.key, "muster", MARK)

    assert client.look_up(label=LABEL, mark="muster", value=MARK).issue is not None


def test_all_is_well_when_account_project_and_type_are(client: JiraClient) -> None:
    assert client.check() == ()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        pytest.param({"token": "old"}, "jira_token", id="an expired token"),
        pytest.param({"project": "NONE"}, "jira_project", id="a project that is not there"),
        pytest.param({"issue_type": "Regression"}, "jira_issue_type", id="an issue type that is not there"),
    ],
)
def test_doctor_names_the_setting_that_is_wrong(wire: Wire, changes: dict[str, str], path: str) -> None:
    assert [problem.path for problem in a_client(wire, **changes).check()] == [path]


def test_doctor_says_when_jira_does_not_answer(client: JiraClient, jira: JiraWorld) -> None:
    jira.faults.set(jira_down=True)

    assert [problem.path for problem in client.check()] == ["jira_url"]


def test_a_create_that_got_no_answer_may_have_been_done(client: JiraClient, jira: JiraWorld) -> None:
    jira.faults.set(jira_timeout_after_create=1)

    with pytest.raises(OutcomeUnknownError):
        create(client)

    assert len(jira.all()) == 1


def test_a_create_that_came_too_fast_is_sent_again_by_itself(client: JiraClient, jira: JiraWorld) -> None:
    jira.faults.set(jira_429=2)

    create(client)

    assert len(jira.all()) == 1


@pytest.mark.parametrize("drops", [False, True], ids=["answers 503", "drops the connection"])
def test_an_outage_is_passing(client: JiraClient, jira: JiraWorld, drops: bool) -> None:
    jira.faults.set(jira_down=True)
    jira.drops_when_down = drops

    with pytest.raises(UpstreamError) as caught:
        create(client)

    assert not caught.value.permanent
    assert jira.all() == ()


def test_a_wrong_field_is_refused_for_good_in_jiras_words(wire: Wire) -> None:
    with pytest.raises(UpstreamError, match="issuetype: Specify a valid issue type") as caught:
        create(a_client(wire, issue_type="Regression"))

    assert caught.value.permanent


def test_a_link_to_an_issue_opens_in_a_browser(client: JiraClient, wire: Wire) -> None:
    create(client)

    assert client.browse_url("EDGE-88") == f"{SITE}/browse/EDGE-88"


@pytest.mark.parametrize(
    ("plain", "line"), [("a\nb\r\n c", "a b c"), ("", "–"), ("\x00", "–"), ("x" * 300, "x" * 254 + "…")]
)
def test_a_summary_is_one_line(plain: str, line: str) -> None:
    assert one_line(plain) == line


def test_the_contract_itself_would_catch_a_wrong_request() -> None:
    body = {"jql": "project = EDGE", "maxResults": "many"}
    wrong = requests.Request("POST", f"{SITE}/rest/api/3/search/jql", json=body, auth=("me", "token")).prepare()

    with pytest.raises(openapi_core.exceptions.OpenAPIError):
        check_request(wrong)
