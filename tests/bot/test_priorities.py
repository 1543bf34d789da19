"""What to look at first: regressions and themes in one list, in Slack and on a page behind a signed link."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from bot import priorities, priorities_web
from bot.priorities import Line, PriorityList
from bot.views import priorities as views
from bot.views.blocks import Message
from core.db import Databases
from core.settings import Settings
from tests.bot.releases_made import button_values, words
from tests.bot.slack_rules import accepted
from tests.bot.test_regressions import Ward, ward
from tests.bot.test_themes import GERMAN, SLOW, WRONG, Desk
from tests.builders import T0, ManualClock
from tests.feedback.sending import Wire, a_running_poll

__all__ = ["ward"]


def a_line(**changes: object) -> Line:
    told: dict[str, object] = {
        "kind": "theme", "model": "kws", "title": "People write about <b>slow</b>", "detail": "Nine people.",
        "reach": 9, "severity": 0.5, "weight": 4.5, "trend": "rising", "line": "feedback themes kws",
    }  # fmt: skip
    return Line(**told | changes)  # type: ignore[arg-type]


def a_list(*lines: Line) -> PriorityList:
    return PriorityList(id="pri_1", app="demo", model=None, composed_at=T0, lines=lines)


@pytest.fixture
def busy(ward: Ward) -> Ward:
    """A release that crashes on one chipset, and people who write."""
    with ward.ctx.databases.control.begin() as session:
        a_running_poll(session)
    ward.reported(crashing=0.5)
    ward.look()
    desk = Desk(ward.ctx, Wire(ward.ctx.databases, ward.ctx.settings, ward.floor.clock))
    desk.write(*SLOW, *GERMAN, *WRONG, at=ward.floor.clock())
    return ward


def test_regressions_and_themes_stand_in_one_list_the_heaviest_first(busy: Ward) -> None:
    said = busy.ask("feedback priorities")

    assert "to look at. First: Crash rate: chipset" in words(said)
    assert "People write about" in words(said)
    table = next(block for block in said.blocks if block["type"] == "data_table")
    weights = [float(row[5]["value"]) for row in table["rows"][1:]]
    assert weights == sorted(weights, reverse=True)
    lines = all_lines(said)
    assert any(line.startswith("regression show ") for line in lines)
    assert any(line.startswith("feedback ticket kws theme=") for line in lines)
    assert any(line.startswith("ticket open R1 metric=crash_rate") for line in lines)


def all_lines(message: Message) -> list[str]:
    """The command line behind each button, those with the same words as well."""
    return [line for block in message.blocks for line in button_values(Message("x", (block,))).values()]


def test_a_quiet_house_says_so(ward: Ward) -> None:
    assert "Nothing stands out" in ward.ask("feedback priorities").text
    assert "Nothing of *kws* stands out" in ward.ask("feedback priorities kws").text
    assert "There is no model nosuch" in ward.ask("feedback priorities nosuch").text


def served(databases: Databases, settings: Settings, clock: ManualClock) -> Flask:
    app = Flask("test")
    app.register_blueprint(priorities_web.blueprint(databases, settings, clock))
    return app


def address(message: Message) -> str:
    (found,) = (
        element["url"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if "url" in element
    )
    return str(found)


def test_the_link_shows_the_list_as_it_was_until_it_expires(busy: Ward) -> None:
    settings, clock = busy.ctx.settings, busy.floor.clock
    url = address(busy.ask("feedback priorities"))
    client = served(busy.ctx.databases, settings, clock).test_client()
    path = url.removeprefix(settings.public_url)

    page = client.get(path)

    assert page.status_code == 200
    assert "Crash rate: chipset=&#34;Helio G35&#34;" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert client.get(re.sub(r"sig=.", "sig=x", path)).status_code == 403
    assert client.get("/priorities/pri_none").status_code == 403
    clock.advance(days=31)
    assert client.get(path).status_code == 403


def test_what_people_wrote_is_only_text_on_the_page_and_in_slack() -> None:
    made = a_list(a_line(), a_line(title="<!channel> & co", detail="<script>alert(1)</script>"))

    html = views.page(made, command="/muster")
    message = views.message(made, url="https://muster.example.com/priorities/pri_1", shared=False)

    assert "<script>" not in html
    assert "<b>slow</b>" not in html
    accepted(message)
    assert "<!channel>" not in str([block for block in message.blocks if block["type"] == "section"])


def test_a_page_without_anything_says_so() -> None:
    assert "Nothing stands out" in views.page(a_list(), command="/muster")


def test_forty_heavy_lines_fit_into_a_message() -> None:
    lines = [a_line(title=f"{number} " + "x" * 300, detail="y" * 2000, weight=100.0 - number) for number in range(40)]

    message = views.message(a_list(*lines), url="https://muster.example.com/p", shared=False)

    accepted(message)
    assert "Open the page" in words(message)


def test_only_the_newest_lists_are_kept(databases: Databases) -> None:
    with databases.control.begin() as session:
        kept = [
            priorities.keep(
                session, PriorityList(id="", app="demo", model=None, composed_at=T0 + timedelta(minutes=n), lines=())
            )
            for n in range(priorities.KEPT + 2)
        ]
        found = [priorities.find(session, each.id) for each in (kept[0], kept[1], kept[2], kept[-1])]

    assert [each is None for each in found] == [True, True, False, False]
