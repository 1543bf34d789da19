"""Our client against the pretended Confluence, each request held to Atlassian's contract."""

from __future__ import annotations

from collections.abc import Iterator

import openapi_core
import pytest
import requests

from core.errors import UpstreamError
from integrations.confluence import ConfluenceClient, StaleError, one_title
from integrations.http import OutcomeUnknownError, Upload
from sandbox.confluence import HOME_ID, ConfluenceWorld
from tests.builders import ManualClock
from tests.integrations.wire import (
    WIKI,
    Wire,
    a_confluence,
    a_wiki_client,
    a_wiki_wire,
    check_request,
    held_to_contract,
)

TITLE = "Muster week 2026-W47 – demo"
BODY = "<p>All is well.</p>"


@pytest.fixture
def confluence(clock: ManualClock) -> ConfluenceWorld:
    return a_confluence(clock)


@pytest.fixture
def wire(confluence: ConfluenceWorld) -> Iterator[Wire]:
    wire = a_wiki_wire(confluence)
    with held_to_contract(wire):
        yield wire


@pytest.fixture
def client(wire: Wire) -> ConfluenceClient:
    return a_wiki_client(wire, parent=HOME_ID)


def test_a_page_is_created_in_the_space_under_its_parent(client: ConfluenceClient, confluence: ConfluenceWorld) -> None:
    page = client.create(title=TITLE, body=BODY)

    (there,) = confluence.all()
    assert (there.title, there.body, there.parent) == (TITLE, BODY, HOME_ID)
    assert page.url == f"{WIKI}/spaces/ML/pages/{page.id}"


def test_the_space_is_asked_for_once(client: ConfluenceClient, wire: Wire) -> None:
    client.create(title="a", body=BODY)
    client.create(title="b", body=BODY)

    assert sum("/spaces" in str(each.path_url) for each in wire.sent) == 1


def test_a_second_page_of_one_title_is_refused(client: ConfluenceClient) -> None:
    client.create(title=TITLE, body=BODY)

    with pytest.raises(UpstreamError, match="already exists") as caught:
        client.create(title=TITLE, body=BODY)

    assert caught.value.permanent


def test_a_page_is_found_by_its_title_and_by_its_id(client: ConfluenceClient) -> None:
    made = client.create(title=TITLE, body=BODY)

    assert client.find_titled(TITLE) == made
    assert client.find(made.id) == made
    assert client.find_titled("another") is None
    assert client.find("1") is None


def test_a_page_in_the_trash_is_not_there(client: ConfluenceClient, confluence: ConfluenceWorld) -> None:
    made = client.create(title=TITLE, body=BODY)
    confluence.trash(confluence.all()[0])

    assert client.find(made.id) is None
    assert client.find_titled(TITLE) is None


def test_an_update_is_the_next_version(client: ConfluenceClient, confluence: ConfluenceWorld) -> None:
    made = client.create(title=TITLE, body=BODY)

    after = client.update(made, title=TITLE, body="<p>Worse.</p>")

    assert (after.version, confluence.all()[0].body) == (2, "<p>Worse.</p>")


def test_an_update_of_what_somebody_changed_is_stale(client: ConfluenceClient, confluence: ConfluenceWorld) -> None:
    made = client.create(title=TITLE, body=BODY)
    confluence.write_note(confluence.all()[0], "mine")

    with pytest.raises(StaleError):
        client.update(made, title=TITLE, body="<p>Worse.</p>")

    assert confluence.all()[0].body.endswith("<p>mine</p>")


def test_the_mark_says_what_was_put(client: ConfluenceClient) -> None:
    made = client.create(title=TITLE, body=BODY)
    assert client.mark_of(made.id) is None

    client.put_mark(made.id, None, subject="digest/a", content_hash="1")
    first = client.mark_of(made.id)
    client.put_mark(made.id, first, subject="digest/a", content_hash="2")
    second = client.mark_of(made.id)

    assert first is not None
    assert second is not None
    assert (first.hash, second.hash, second.subject) == ("1", "2", "digest/a")
    with pytest.raises(StaleError):
        client.put_mark(made.id, first, subject="digest/a", content_hash="3")
    with pytest.raises(StaleError):
        client.put_mark(made.id, None, subject="digest/a", content_hash="3")


def test_a_file_of_the_same_name_is_its_next_version(client: ConfluenceClient, confluence: ConfluenceWorld) -> None:
    made = client.create(title=TITLE, body=BODY)
    for content in (b"one", b"two"):
        client.attach(made.id, Upload(name="a.png", content=content, media_type="image/png"))

    assert confluence.all()[0].attachments == {"a.png": (2, "image/png", b"two")}


def test_a_create_that_got_no_answer_may_have_been_done(client: ConfluenceClient, confluence: ConfluenceWorld) -> None:
    confluence.faults.set(confluence_lost=1)

    with pytest.raises(OutcomeUnknownError):
        client.create(title=TITLE, body=BODY)

    assert client.find_titled(TITLE) is not None


def test_an_outage_is_passing(client: ConfluenceClient, confluence: ConfluenceWorld) -> None:
    confluence.faults.set(confluence_down=True)

    with pytest.raises(UpstreamError) as caught:
        client.create(title=TITLE, body=BODY)

    assert not caught.value.permanent


def test_a_body_that_is_no_storage_format_is_refused_for_good(client: ConfluenceClient) -> None:
    with pytest.raises(UpstreamError, match="Error parsing xhtml") as caught:
        client.create(title=TITLE, body="<p>open")

    assert caught.value.permanent


def test_a_space_that_is_not_there_is_named(wire: Wire) -> None:
    with pytest.raises(UpstreamError, match="no space 'NONE'"):
        a_wiki_client(wire, space="NONE").create(title=TITLE, body=BODY)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        pytest.param({}, None, id="all is well"),
        pytest.param({"parent": HOME_ID}, None, id="with a parent that is there"),
        pytest.param({"token": "old"}, "confluence_token", id="an expired token"),
        pytest.param({"space": "NONE"}, "confluence_space", id="a space that is not there"),
        pytest.param({"parent": "999"}, "confluence_parent", id="a parent that is not there"),
    ],
)
def test_doctor_names_the_setting_that_is_wrong(wire: Wire, changes: dict[str, str], path: str | None) -> None:
    assert [problem.path for problem in a_wiki_client(wire, **changes).check()] == ([path] if path else [])


def test_doctor_says_when_confluence_does_not_answer(client: ConfluenceClient, confluence: ConfluenceWorld) -> None:
    confluence.faults.set(confluence_down=True)

    assert [problem.path for problem in client.check()] == ["confluence_url"]


def test_the_contract_itself_would_catch_a_wrong_request() -> None:
    body = {"spaceId": "1", "title": "t", "status": "nowhere"}
    wrong = requests.Request("POST", f"{WIKI}/api/v2/pages", json=body, auth=("me", "token")).prepare()

    with pytest.raises(openapi_core.exceptions.OpenAPIError):
        check_request(wrong)


@pytest.mark.parametrize(("plain", "line"), [("a\nb  c", "a b c"), ("", "–"), ("x" * 300, "x" * 254 + "…")])
def test_a_title_is_one_line(plain: str, line: str) -> None:
    assert one_title(plain) == line
