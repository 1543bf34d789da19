"""The pretended Jira over real sockets, and its page for people."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import flask
import pytest
import requests
from werkzeug.serving import make_server

from sandbox import jira_v2
from sandbox.jira import EMAIL, TOKEN, JiraWorld
from sandbox.jira_page import render_document
from tests.builders import ManualClock
from tests.integrations.wire import a_jira
from tests.sandbox.jira_client import API, DOCUMENT, FIELDS


@pytest.fixture
def jira(clock: ManualClock) -> JiraWorld:
    return a_jira(clock)


@pytest.fixture
def served(jira: JiraWorld) -> Iterator[str]:
    app = flask.Flask("jira")
    app.register_blueprint(jira_v2.blueprint(jira), url_prefix="/jira")
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
    app.register_blueprint(jira_v2.blueprint(jira), url_prefix="/jira")
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
