"""The pretended Confluence as people see it: pages that are read, and notes that are written."""

from __future__ import annotations

import flask
import pytest

from integrations import storage_format as storage
from sandbox import confluence_web
from sandbox.confluence import ConfluenceWorld
from tests.builders import ManualClock
from tests.integrations.wire import a_confluence

BODY = storage.document(
    storage.heading(2, "Numbers <script>"),
    storage.table(["a"], [[storage.image("a.png", alt="A picture")]]),
    storage.link("there", "https://example.org"),
    origin="digest/demo/2026-W47",
)


@pytest.fixture
def confluence(clock: ManualClock) -> ConfluenceWorld:
    return a_confluence(clock)


@pytest.fixture
def web(confluence: ConfluenceWorld) -> flask.Flask:
    app = flask.Flask("confluence")
    app.register_blueprint(confluence_web.blueprint(confluence), url_prefix="/wiki")
    return app


def test_a_page_is_shown_with_its_pictures(confluence: ConfluenceWorld, web: flask.Flask) -> None:
    page = confluence.create("The week", BODY, parent=None)
    confluence.attach(page, "a.png", "image/png", b"png")

    shown = web.test_client().get(f"/wiki/spaces/ML/pages/{page.id}").text

    assert "Numbers &lt;script&gt;" in shown
    picture = f"/wiki/download/attachments/{page.id}/a.png"
    assert f'<img src="{picture}" alt="A picture">' in shown
    assert web.test_client().get(picture).data == b"png"
    assert "The week" in web.test_client().get("/wiki/").text


def test_what_a_person_writes_is_the_next_version(confluence: ConfluenceWorld, web: flask.Flask) -> None:
    page = confluence.create("The week", BODY, parent=None)

    reply = web.test_client().post(f"/wiki/spaces/ML/pages/{page.id}", data={"words": "ask <them>"})

    assert reply.status_code == 303
    assert (page.version, page.author) == (2, "Pam")
    assert page.body.endswith("<p>ask &lt;them&gt;</p>")


def test_a_page_that_is_not_there_is_404(web: flask.Flask) -> None:
    assert web.test_client().get("/wiki/spaces/ML/pages/1").status_code == 404
