"""The preview of a poll: a phone's screens behind a signed link, question by question."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import flask
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from bot.pages_web import blueprint, preview_url
from bot.views import preview
from bot.views.preview import Step, walk
from core.db import Databases
from core.settings import Settings
from feedback import polls, store
from feedback.polls import Poll
from feedback.questions import TYPES
from tests.bot.workspace import DANA, TOM, Workspace
from tests.builders import T0, ManualClock

BRANCHING = json.loads((Path(__file__).parents[1] / "vectors" / "branching.json").read_text())


def a_poll_of_every_type() -> Poll:
    choices = [{"id": "slow", "label": "Too slow"}, {"id": "hot", "label": "Too hot"}]
    german = {"de": {"question": "Schnell genug?", "choices": {"slow": "Zu langsam"}}}
    questions: list[dict[str, Any]] = [
        {"id": f"q_{kind}", "type": kind, "question": f"What about {kind}?", "optional": True} for kind in TYPES
    ]
    for question in questions:
        if question["type"] in ("single_choice", "multiple_choice"):
            question |= {"choices": choices, "has_open_choice": True, "translations": german}
    return polls.from_json({"id": "every", "name": "Every <type>", "model": "kws", "questions": questions})


class Visitor:
    """Somebody who holds the link and fills in what the page shows them."""

    def __init__(self, app: flask.Flask, url: str) -> None:
        self._client = app.test_client()
        self._url = url.removeprefix("http://muster.test")
        self.reply = self._client.get(self._url)

    def get(self, *fields: tuple[str, str], without: str = "") -> TestResponse:
        path, _, query = self._url.partition("?")
        signed = [each for each in parse_qsl(query) if each[0] != without]
        self.reply = self._client.get(f"{path}?{urlencode([*signed, *fields])}")
        return self.reply

    def tap(self, *fields: tuple[str, str]) -> str:
        """Send the open question's form with these fields; return the page."""
        (form,) = re.findall(r'<form method="get">(?:(?!</form>).)*?name="q".*?</form>', self.reply.text, re.DOTALL)
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
        path = self._url.partition("?")[0]
        self.reply = self._client.get(f"{path}?{urlencode([*((n, unescape(v)) for n, v in hidden), *fields])}")
        return self.reply.text

    @property
    def asked(self) -> str | None:
        found = re.search(r'name="q" value="(\w+)"', self.reply.text)
        return found[1] if found else None


@pytest.fixture
def visitor(databases: Databases, settings: Settings, clock: ManualClock) -> Visitor:
    with databases.control.begin() as session:
        store.save_poll(session, a_poll_of_every_type(), app="demo", model="kws", by=DANA, now=T0)
    app = flask.Flask("test")
    app.register_blueprint(blueprint(databases, settings, clock))
    return Visitor(app, preview_url("every", settings, clock()))


def test_every_question_type_can_be_tapped_through_to_what_a_phone_sends(visitor: Visitor) -> None:
    taps: dict[str, tuple[tuple[str, str], ...]] = {
        "csat": (("v", "4"),), "nps": (("v", "10"),), "ces": (("v", "7"),), "rating": (("v", "1"),),
        "thumbs": (("v", "false"),), "single_choice": (("v", "slow"),), "open": (("v", "good “stuff” & more"),),
        "multiple_choice": (("v", "slow"), ("own", "my <boss>")), "correction": (("v", "cat"),),
    }  # fmt: skip
    for kind in TYPES:
        assert visitor.asked == f"q_{kind}"
        visitor.tap(*taps[kind])

    assert visitor.asked is None
    assert "<strong>👎</strong>" in visitor.reply.text
    sent = json.loads(unescape(re.findall(r"<pre>(.*?)</pre>", visitor.reply.text, re.DOTALL)[0]))
    assert polls.check_answers(a_poll_of_every_type(), sent) == ()
    assert {each["question"]: each["value"] for each in sent} == {
        "q_csat": 4, "q_nps": 10, "q_ces": 7, "q_rating": 1, "q_thumbs": False, "q_single_choice": "slow",
        "q_multiple_choice": ["slow", "my <boss>"], "q_open": "good “stuff” & more", "q_correction": "cat",
    }  # fmt: skip


@pytest.mark.parametrize("case", BRANCHING["vectors"], ids=lambda case: str(case["name"]))
def test_the_preview_branches_as_phones_do(case: dict[str, Any]) -> None:
    poll = polls.from_json({"id": "p", "name": "p", **BRANCHING["poll"]})
    only = polls.find_question(poll, case["question"])
    assert only is not None
    rest = poll.questions[poll.questions.index(only) :]

    done = walk(
        polls.from_json(polls.to_json(poll) | {"questions": _as_json(rest)}),
        [Step(question=only.id, value=case["value"])],
    )

    assert (done.question.id if done.question else "end") == case["next"]


def _as_json(questions: Any) -> list[Any]:
    return [each for each in BRANCHING["poll"]["questions"] if each["id"] in {q.id for q in questions}]


def test_a_language_is_switched_and_what_it_lacks_is_said(visitor: Visitor) -> None:
    page = visitor.get(("lang", "de"), ("a", '["q_csat",4]')).text
    assert "not translated to de" in page

    steps = [("a", json.dumps([f"q_{kind}", None])) for kind in TYPES[: TYPES.index("single_choice")]]
    page = visitor.get(("lang", "de"), *steps).text

    assert "Schnell genug?" in page
    assert "Zu langsam" in page
    assert "Too hot" in page
    assert "Überspringen" in page


def test_what_does_not_fit_is_said_and_asked_again(visitor: Visitor) -> None:
    page = visitor.tap(("v", "9"))

    assert "Must be 1 to 5." in page
    assert visitor.asked == "q_csat"


def test_names_and_words_are_escaped(visitor: Visitor) -> None:
    assert "Every &lt;type&gt;" in visitor.reply.text
    assert "<type>" not in visitor.reply.text


def test_without_a_whole_and_fresh_link_there_is_nothing_to_see(visitor: Visitor, clock: ManualClock) -> None:
    assert visitor.get(without="sig").status_code == 403
    clock.advance(days=8)
    assert visitor.get().status_code == 403
    assert "poll preview P3" in visitor.reply.text


def test_the_page_asks_nobody_else_for_anything(visitor: Visitor) -> None:
    policy = visitor.reply.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert not re.search(r"<(script|img|link|iframe)|@import|url\(|https?://", visitor.reply.text)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["a", "q", "v", "own", "lang", "skip"]), st.text(max_size=30)), max_size=8))
def test_whatever_the_address_says_the_page_answers(visitor: Visitor, fields: list[tuple[str, str]]) -> None:
    fields = [(name, "q_csat" if name == "q" else value) for name, value in fields]
    assert visitor.get(*fields).status_code == 200


def test_slack_gives_the_link(workspace: Workspace, databases: Databases) -> None:
    with databases.control.begin() as session:
        store.save_poll(session, a_poll_of_every_type(), app="demo", model="kws", by=DANA, now=T0)

    said = workspace.ask(TOM, "poll preview P1")

    (link,) = [each["url"] for block in said.blocks for each in block.get("elements", ()) if "url" in each]
    assert link.startswith(f"{workspace.ctx.settings.public_url}/polls/every/preview?until=")
    assert preview.languages(a_poll_of_every_type()) == ("en", "de")
