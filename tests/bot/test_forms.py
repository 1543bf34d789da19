"""The message shortcut: what somebody said becomes a regression with one ticket."""

from __future__ import annotations

from typing import Any

import pytest

from bot import forms, regression_form, tickets
from bot.tables import CardRow
from core.db import Databases
from tests.bot.releases_made import Floor
from tests.bot.workspace import DANA, FEEDBACK, PAM, TOM, Workspace
from tests.builders import T0, ManualClock

START = "release start kws@1.4.0 to=5,25,100 bake=1h"
GOOD = {"target": "kws@1.4.0", "metric": "csat", "where": 'chipset="Helio G35"', "reason": "It hears nothing"}


@pytest.fixture
def floor(workspace: Workspace, clock: ManualClock) -> Floor:
    return Floor(ctx=workspace.ctx, world=workspace.world, jobs=workspace.jobs, clock=clock)


def values(**changes: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in (GOOD | changes).items():
        element: dict[str, Any] = {"type": "plain_text_input", "value": value or None}
        if name == "metric":
            element = {
                "type": "static_select",
                "selected_option": {"text": {"type": "plain_text", "text": "x"}, "value": value},
            }
        made[name] = {"value": element}
    return made


def test_a_form_is_checked_purely_and_every_mistake_is_told() -> None:
    wrong = regression_form.check({"target": "kws", "metric": "looks", "where": "chipsat=x", "reason": " "})

    assert set(wrong) == {"target", "metric", "where", "reason"}
    assert regression_form.check(GOOD) == {}


def test_a_line_that_asks_for_nothing_special_opens_no_form() -> None:
    assert forms.wanted("ticket open R12") is None
    assert forms.wanted('feedback kws where="') is None
    assert forms.wanted("xyzzy") is None
    assert forms.wanted("ticket open metric=csat") == (forms.MAKE_REGRESSION, {"metric": "csat"})


def test_the_shortcut_opens_a_form_with_what_was_said(workspace: Workspace) -> None:
    workspace.say(PAM, "It hears “nothing” – <!channel> on my phone", FEEDBACK)
    said = workspace.last()

    workspace.world.people.shortcut(TOM, "make_regression", FEEDBACK, said.ts)

    filled = inputs(workspace.opened_by(TOM).view)
    assert "on my phone" in filled["reason"]["initial_value"]
    assert "initial_value" not in filled["target"]


def test_who_may_open_no_ticket_is_refused_before_the_form(workspace: Workspace) -> None:
    workspace.say(PAM, "worse since yesterday", FEEDBACK)
    workspace.world.people.shortcut(PAM, "make_regression", FEEDBACK, workspace.last().ts)
    workspace.settle()

    assert "You may not open a ticket" in workspace.last().text
    assert workspace.world.slack.windows.all() == ()


def test_in_the_thread_of_a_card_the_form_names_its_release(
    workspace: Workspace, floor: Floor, databases: Databases
) -> None:
    floor.type(DANA, START)
    release = floor.release().id
    workspace.say(PAM, "card", FEEDBACK)
    card = workspace.last()
    with databases.control.begin() as session:
        session.add(CardRow(subject=release, channel=FEEDBACK, ts=card.ts, shown="", updated_at=T0))
    workspace.say(PAM, "worse since yesterday", FEEDBACK, thread=card.ts)

    workspace.world.people.shortcut(DANA, "make_regression", FEEDBACK, workspace.last().ts)

    assert inputs(workspace.opened_by(DANA).view)["target"]["initial_value"] == "R1"


@pytest.mark.parametrize("repeated", [False, True])
def test_a_form_that_is_sent_wants_one_ticket(
    workspace: Workspace, floor: Floor, databases: Databases, repeated: bool
) -> None:
    floor.started()
    workspace.say(PAM, "It hears nothing", FEEDBACK)
    workspace.world.people.shortcut(DANA, "make_regression", FEEDBACK, workspace.last().ts)
    window = workspace.opened_by(DANA)

    workspace.world.faults.set(slack_retry=repeated)
    assert workspace.world.people.submit(DANA, window.id, values(reason="It “hears” nothing – ever")).ok
    heard = [job for job in workspace.jobs.waiting if job.job == "hear"]
    workspace.hear()

    assert len(heard) == 1
    with databases.control.begin() as session:
        (ticket,) = tickets.recent(session, app="demo")
    assert ticket.regression.cohort == 'chipset="Helio G35"'
    assert ticket.regression.sentence == 'It "hears" nothing - ever'


def inputs(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}


def test_a_poll_that_is_told_whole_or_only_rehearsed_needs_no_form() -> None:
    assert forms.wanted('poll create kws name=Fast question="Was it fast?"') is None
    assert forms.wanted("poll create kws --dry-run") is None
    assert forms.wanted("poll create kws") == (forms.POLL_CREATE, {"model": "kws"})
