"""`/muster feedback`: one honest sentence, worst cohort first, small ones withheld."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.answer import Person, handle
from bot.context import Context
from bot.views import blocks
from bot.views import feedback as views
from bot.views.blocks import Message
from core.db import Databases
from core.settings import Settings
from feedback.questions import Privacy
from feedback.reports import CohortReport
from tests.bot.answers import send
from tests.bot.slack_rules import accepted
from tests.bot.workspace import PAM, TOM, Workspace
from tests.builders import T0, ManualClock
from tests.feedback.sending import Wire, a_running_poll
from tests.feedback.test_questions import a_question
from tests.feedback.test_reports import a_group, a_report

GOOD = [5] * 26 + [2] * 4
BAD = [5] * 15 + [1] * 15
WEEK_AGO = T0 - timedelta(days=7)


@pytest.fixture
def wire(databases: Databases, settings: Settings, clock: ManualClock) -> Wire:
    with databases.control.begin() as session:
        a_running_poll(session)
    return Wire(databases, settings, clock)


@pytest.fixture
def answered(wire: Wire, clock: ManualClock) -> Wire:
    """Three chipsets and one that only a few people have; Helio G35 was fine a week ago."""
    for chipset in ("Tensor G2", "Exynos 2200"):
        send(wire, chipset, GOOD)
    send(wire, "Helio G35", BAD, text="It never hears <!channel> me")
    send(wire, "Rare One", [1] * 4, text="only I have this phone")
    clock.now = WEEK_AGO
    send(wire, "Helio G35", GOOD, at=WEEK_AGO)
    send(wire, "Tensor G2", GOOD, at=WEEK_AGO)
    clock.now = T0
    return wire


def ask(ctx: Context, line: str) -> Message:
    message = handle(ctx, Person(PAM, "pam"), line)
    accepted(message)
    return message


def test_the_sentence_tells_how_many_how_good_and_the_worst(ctx: Context, answered: Wire) -> None:
    said = ask(ctx, "feedback kws by=chipset since=7d").text

    assert said.startswith("*kws*, 7 days, 94 answers. CSAT 71 % (61–79)")
    assert "Worst: Helio G35 50 % (33–67), n=30, was 87 %." in said
    assert "hidden (too few people)." in said


def test_few_people_are_withheld_and_so_is_who_could_be_found_by_subtracting(ctx: Context, answered: Wire) -> None:
    message = ask(ctx, "feedback kws by=chipset")

    assert "Rare One" not in str(message)
    assert "only I have this phone" not in str(message)
    assert "2 cohorts hidden" in message.text


def test_the_report_has_a_native_chart_and_a_table_worst_first(ctx: Context, answered: Wire) -> None:
    message = ask(ctx, "feedback kws by=chipset")

    chart = next(block for block in message.blocks if block["type"] == "data_visualization")
    table = next(block for block in message.blocks if block["type"] == "data_table")
    assert chart["chart"]["axis_config"]["categories"][0] == "Helio G35"
    first = [cell["text"] for cell in table["rows"][1]]
    assert first[:5] == ["Helio G35 ▼", "50 %", "33–67", "30", "87 %"]
    for level in range(4):
        accepted(blocks.degrade(message, level))


def test_where_keeps_to_some_devices_and_is_named(ctx: Context, answered: Wire) -> None:
    said = ask(ctx, """feedback kws by=accelerator where="chipset='Helio G35'" """).text

    assert "Helio G35" in said
    assert "30 answers. CSAT 50 %" in said


def test_a_group_that_is_too_small_as_a_whole_gets_no_score(ctx: Context, answered: Wire) -> None:
    said = ask(ctx, """feedback kws by=accelerator where="chipset='Rare One'" """).text

    assert "CSAT" not in said
    assert "fewer than 20 people have answered" in said


def test_an_attribute_nobody_knows_is_answered_with_the_nearest(ctx: Context, answered: Wire) -> None:
    assert "chipset" in ask(ctx, "feedback kws by=chipsat").text


def test_every_mistake_in_options_is_told(ctx: Context, answered: Wire) -> None:
    said = ask(ctx, "feedback kws bye=chipset sinse=7d extra").text

    assert "did you mean by=?" in said
    assert "did you mean since=?" in said
    assert "extra" in said


@pytest.mark.parametrize("since", ["yesterday", "0d", "-3d", "9999w"])
def test_a_period_that_is_none_says_how_to_write_one(ctx: Context, answered: Wire, since: str) -> None:
    assert "24h, 7d or 2w" in ask(ctx, f"feedback kws since={since}").text


def test_a_model_nobody_asks_about_says_what_there_is(ctx: Context, answered: Wire) -> None:
    assert "did you mean 'kws'?" in ask(ctx, "feedback kwz").text


def test_a_house_without_polls_says_how_to_make_one(ctx: Context) -> None:
    assert "poll create kws" in ask(ctx, "feedback kws").text


def test_a_missing_model_is_asked_for_with_an_example(ctx: Context) -> None:
    assert "/muster feedback kws by=chipset since=7d" in ask(ctx, "feedback").text


def test_words_of_people_are_shown_escaped_and_without_small_groups(ctx: Context, answered: Wire) -> None:
    said = str(ask(ctx, "feedback quotes kws limit=20").blocks)

    assert "It never hears &lt;!channel&gt; me" in said
    assert "rated 1 · Helio G35" in said
    assert "Rare One" not in said
    few = ask(ctx, """feedback quotes kws where="chipset='Rare One'" """)
    assert "fewer than 20 people" in few.text
    assert "only I have" not in str(few)


def test_versions_are_compared(ctx: Context, answered: Wire) -> None:
    assert "1.4.0" in str(ask(ctx, "feedback compare kws"))


def test_a_report_is_shared_in_the_channel_with_one_click(workspace: Workspace, answered: Wire) -> None:
    report = workspace.ask(PAM, "feedback kws by=chipset since=7d")
    assert report.ephemeral_to == PAM

    workspace.click(PAM, report, "Share in channel")
    workspace.settle()

    shared = workspace.last()
    assert shared.ephemeral_to is None
    assert shared.text == report.text
    assert f"Shared by <@{PAM}>" in workspace.said(shared)
    assert "Share in channel" not in workspace.said(shared)


def test_the_worst_cohort_fills_the_form_of_a_ticket(workspace: Workspace, answered: Wire) -> None:
    report = workspace.ask(TOM, "feedback kws by=chipset since=7d")

    workspace.click(TOM, report, "Open ticket")
    window = workspace.opened_by(TOM)

    filled = {block["block_id"]: block["element"] for block in window.view["blocks"] if block["type"] == "input"}
    assert filled["where"]["initial_value"] == 'chipset="Helio G35"'
    assert filled["metric"]["initial_option"]["value"] == "csat"
    assert "50 % (33-67), n=30, was 87 %" in filled["reason"]["initial_value"]


def test_a_score_behind_randomized_answers_says_so(ctx: Context) -> None:
    coin = Privacy(mechanism="k_rr", epsilon=2.0)
    groups = (a_group("G2", 90, 10), a_group("A16", 80, 20))

    plain = a_report(*groups)
    randomized = a_report(*groups, question=a_question("csat", privacy=coin), left_out=59)

    assert "randomized" not in said(plain)
    assert "computed back from randomized answers" in said(randomized)
    assert "200 answers; at least 40 sent under another privacy setting are left out." in said(randomized)


def said(report: CohortReport) -> str:
    return str(views.cohort_report(report, since=timedelta(days=7), poll="P1", version=None, shared=False).blocks)
