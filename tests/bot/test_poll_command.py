"""Polls from Slack: a form that is checked while Slack waits, a draft, start, stop, explain."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from bot import forms, poll_form
from bot.views import poll as views
from core.db import Databases
from core.settings import Settings
from feedback import store
from tests.bot.slack_rules import accepted, accepted_view
from tests.bot.workspace import DANA, FEEDBACK, PAM, TOM, Workspace, as_said
from tests.builders import T0, ManualClock
from tests.feedback.sending import INSTALL, Wire, a_batch, a_context, a_poll, a_running_poll, an_answer

FILLED = {
    "name": "Did it hear you right?",
    "model": "kws",
    "type": "csat",
    "question": "Did it hear you right?",
    "choices": "Too slow\nWrong word",
    "open": "Anything else?",
    "percent": "5",
    "where": "ram_gb<4",
}


def values(**changes: str) -> dict[str, Any]:
    filled = FILLED | changes
    made: dict[str, Any] = {}
    for name, value in filled.items():
        element: dict[str, Any] = {"type": "plain_text_input", "value": value or None}
        if name == "type":
            element = {
                "type": "static_select",
                "selected_option": {"text": {"type": "plain_text", "text": "x"}, "value": value},
            }
        made[name] = {"value": element}
    return made


@pytest.fixture
def operator(workspace: Workspace) -> Workspace:
    workspace.ask(TOM, f"role grant <@{DANA}> operator model=kws")
    return workspace


def create(workspace: Workspace, person: str = DANA, **changes: str) -> Any:
    workspace.say(person, "/muster poll create kws")
    window = workspace.opened_by(person)
    return workspace.world.people.submit(person, window.id, values(**changes))


@pytest.mark.parametrize("callback_id", list(forms.FORMS))
def test_every_form_is_one_slack_takes(callback_id: str) -> None:
    accepted_view(forms.open_view(callback_id, {}, channel="C1", thread=None))
    long = dict.fromkeys([*FILLED, "target", "reason", "metric"], "x" * 5_000)
    accepted_view(forms.open_view(callback_id, long, channel="C1", thread="1.0"))


def test_creating_opens_a_form_at_once_filled_with_what_was_said(operator: Workspace) -> None:
    operator.say(DANA, "/muster poll create kws percent=20")

    window = operator.opened_by(DANA)

    filled = {block["block_id"]: block["element"] for block in window.view["blocks"] if block["type"] == "input"}
    assert filled["model"]["initial_value"] == "kws"
    assert filled["percent"]["initial_value"] == "20"
    assert operator.jobs.waiting == []


def test_a_repeated_command_opens_one_form(operator: Workspace) -> None:
    operator.world.faults.set(slack_retry=True)
    operator.say(DANA, "/muster poll create kws")

    operator.opened_by(DANA)

    assert len(operator.world.slack.windows.all()) == 1


def test_every_mistake_is_shown_at_its_field_before_anything_is_stored(operator: Workspace) -> None:
    outcome = create(operator, model="No Model!", percent="500", where="chipsat=x", choices="a\na")

    assert outcome.body["response_action"] == "errors"
    assert set(outcome.body["errors"]) == {"model", "percent", "where", "choices"}
    assert operator.jobs.waiting == []


def test_a_form_without_mistakes_becomes_a_draft_told_in_the_channel(operator: Workspace) -> None:
    assert create(operator).ok
    operator.settle()

    told = operator.last()
    assert told.channel == FEEDBACK
    assert told.ephemeral_to is None
    assert "Draft *P1* Did it hear you right? about kws" in told.text
    with operator.ctx.databases.control.begin() as session:
        poll = store.find_poll(session, "P1").poll
    assert (poll.status, poll.sampling.percent, len(poll.questions)) == ("draft", 5.0, 3)


def test_labels_that_stand_twice_are_told_as_they_were_written() -> None:
    assert poll_form.check(FILLED | {"choices": "Too slow\nToo slow"}) == {"choices": "'Too slow' stands twice"}


def test_labels_make_ids_that_a_poll_takes() -> None:
    alike = "It heard something else than I said\nIt heard something else than that"
    choices = f"Too slow\nPositive\n3 times\nEnd\n{alike}"

    assert poll_form.check(FILLED | {"choices": choices}) == {}
    ids = [choice.id for choice in poll_form.read(FILLED | {"choices": choices}).questions[1].choices]
    assert ids == ["too_slow", "choice_2", "choice_3", "choice_4", "it_heard_something_else_", "choice_6"]


def test_a_form_sent_twice_makes_one_poll(operator: Workspace) -> None:
    operator.world.faults.set(slack_retry=True)
    create(operator)
    operator.settle()

    assert operator.ask(PAM, "poll list").text == "1 poll, 0 running."


def test_a_name_that_is_taken_is_refused_and_the_poll_stays_as_it_is(operator: Workspace) -> None:
    create(operator)
    operator.settle()
    create(operator, question="Something else?")
    operator.settle()

    assert "choose another name" in operator.last().text
    assert "Something else" not in operator.said(operator.ask(PAM, "poll show P1"))


def test_somebody_without_the_right_makes_no_poll(workspace: Workspace) -> None:
    workspace.say(PAM, "/muster poll create kws")
    workspace.settle()

    assert "You may not create a poll about kws" in workspace.last().text
    assert workspace.last().ephemeral_to == PAM
    assert workspace.world.slack.windows.all() == ()


def test_who_loses_the_right_while_filling_in_the_form_makes_no_poll(operator: Workspace) -> None:
    operator.say(DANA, "/muster poll create kws")
    window = operator.opened_by(DANA)
    operator.ask(TOM, f"role revoke <@{DANA}> operator model=kws")

    operator.world.people.submit(DANA, window.id, values())
    operator.settle()

    assert "You may not create a poll about kws" in operator.last().text


def test_a_mention_cannot_open_a_form_so_a_button_does(operator: Workspace) -> None:
    operator.say(DANA, "@Muster poll create", FEEDBACK)
    operator.settle()

    operator.click(DANA, operator.last(), "Open the form")

    assert operator.opened_by(DANA).view["callback_id"] == forms.POLL_CREATE


def test_a_form_that_slack_does_not_open_is_offered_again_in_words(operator: Workspace) -> None:
    operator.world.faults.set(slack_down=True)
    operator.say(DANA, "/muster poll create kws")
    operator.until(lambda: bool(operator.jobs.waiting))
    operator.world.faults.set(slack_down=False)

    operator.settle()

    assert "Open the form" in operator.said(operator.last())


def test_a_poll_starts_and_stops_once_each(operator: Workspace, clock: ManualClock) -> None:
    create(operator)
    operator.settle()

    assert "would run" in operator.ask(DANA, "poll start P1 --dry-run").text
    started = operator.ask(DANA, "poll start p1")
    again = operator.ask(DANA, "poll start P1")
    clock.advance(minutes=1)
    operator.click(DANA, started, "Stop")
    operator.settle()
    stopped = operator.last()

    assert "is running: phones show it" in started.text
    assert started.ephemeral_to is None
    assert "is running already" in again.text
    assert "*P1* Did it hear you right? is stopped" in stopped.text
    assert operator.said(operator.ask(PAM, "audit P1")).count("poll.") == 3


def test_other_people_may_neither_start_nor_stop(operator: Workspace) -> None:
    create(operator)
    operator.settle()

    refused = operator.ask(PAM, "poll start P1")

    assert f"<@{DANA}> or <@{TOM}> can." in refused.text
    assert operator.ask(PAM, "poll list").text == "1 poll, 0 running."


def test_a_poll_is_explained_gate_by_gate(
    workspace: Workspace, databases: Databases, settings: Settings, clock: ManualClock
) -> None:
    with databases.control.begin() as session:
        a_running_poll(session, targeting='chipset="Tensor G2"')
    Wire(databases, settings, clock).batch(
        a_batch(
            {"uuid": "u1", "event": "poll shown", "timestamp": clock().isoformat(), "poll": "heard", "submission": "s1"}
        )
    )

    answer = workspace.ask(PAM, f"poll explain P1 install={INSTALL}")

    assert "is not shown *P1*" in answer.text
    assert "✓ *running*" in workspace.said(answer)
    assert "✗ *targeting*" in workspace.said(answer)
    accepted(as_said(answer))


def test_answers_that_nobody_told_as_shown_are_in_no_response_rate(
    workspace: Workspace, databases: Databases, settings: Settings, clock: ManualClock
) -> None:
    with databases.control.begin() as session:
        a_running_poll(session)
    wire, at = Wire(databases, settings, clock), clock() - timedelta(hours=1)
    shown = [an_answer(f"s{n}", event="poll shown", answers=[], at=at, submission=f"{n}") for n in range(40)]
    wire.batch(a_batch(*shown, *(an_answer(f"a{n}", at=at, submission=f"{n}") for n in range(20))))
    elsewhere = a_context(install="another-one", **{"os.name": "iOS"})
    wire.batch(a_batch(*(an_answer(f"b{n}", at=at) for n in range(30)), context=elsewhere))

    told = workspace.said(workspace.ask(PAM, "poll show P1")).replace("\N{NO-BREAK SPACE}", " ")

    assert "50 responses · shown 40 times in the last 7 days, response rate 50 %" in told


def test_a_poll_that_starts_later_is_not_said_to_run(operator: Workspace, databases: Databases) -> None:
    with databases.control.begin() as session:
        store.save_poll(session, a_poll(status="draft", start_date=T0 + timedelta(days=15)), app="demo", model="kws",
                        by=DANA, now=T0)  # fmt: skip

    started = operator.ask(DANA, "poll start P1")
    listed, shown = operator.ask(PAM, "poll list"), operator.ask(PAM, "poll show P1")

    assert "started: phones show it from Tue 1 Dec" in started.text
    assert listed.text == "1 poll, 0 running."
    assert "from Tue 1 Dec" in operator.said(listed)
    assert "from Tue 1 Dec" in shown.text


def test_an_install_that_never_spoke_says_so(workspace: Workspace, databases: Databases) -> None:
    with databases.control.begin() as session:
        a_running_poll(session)

    answer = workspace.ask(PAM, "poll explain P1 install=nobody")

    assert "never told us its device" in workspace.said(answer)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("poll show P9", "There is no poll P9"),
        ("poll show", "/muster poll show P3"),
        ("poll explain P1", "install"),
        ("poll list", "There is no poll yet"),
        ("poll create name=x question=y", "model"),
    ],
)
def test_what_is_missing_is_said_with_an_example(operator: Workspace, line: str, told: str) -> None:
    operator.say(DANA, f"@Muster {line}", FEEDBACK)
    operator.settle()

    assert told in operator.said(operator.last())


@pytest.mark.parametrize(
    ("responses", "shown", "answered", "told"),
    [
        (0, 0, 0, "0 responses · not shown in the last 7 days"),
        (1, 3, 1, "fewer than 20 responses · shown fewer than 20 times in the last 7 days"),
        (19, 600, 19, "fewer than 20 responses · shown 600 times in the last 7 days"),
        (600, 0, 600, "600 responses · nobody told how often it was shown in the last 7 days"),
        (60, 100, 50, "60 responses · shown 100 times in the last 7 days, response rate 50 % (40.4 % to 59.6 %)"),
    ],
)
def test_of_fewer_people_than_the_minimum_a_poll_tells_nothing(
    databases: Databases, responses: int, shown: int, answered: int, told: str
) -> None:
    with databases.control.begin() as session:
        poll = a_running_poll(session)

    message = views.one(
        poll, responses=responses, shown=shown, answered=answered, minimum=20, now=T0, url="https://x.test/p"
    )

    said = json.dumps(message.blocks, ensure_ascii=False).replace("\N{NO-BREAK SPACE}", " ")
    assert told in said
    assert ("response rate" in told) == ("response rate" in said)


def test_a_poll_in_full_is_something_slack_takes(operator: Workspace) -> None:
    create(operator, name="<!channel> & co", question="Is <b> ok?")
    operator.settle()

    shown = operator.ask(PAM, "poll show P1")

    accepted(as_said(shown))
    assert "<!channel>" not in operator.said(shown)
    assert "Is &lt;b&gt; ok?" in operator.said(shown)
