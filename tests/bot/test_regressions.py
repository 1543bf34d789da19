"""Regressions of a live release and of the weeks: found, kept under one name, told in Slack, and given one ticket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot import regressions, tickets
from bot.answer import Person, handle
from bot.context import Context
from bot.flows import nightly
from bot.flows import regressions as flow
from bot.regressions import Found
from bot.ticket_rules import Ticket
from bot.views import blocks
from bot.views.blocks import Message
from core.db import reading
from sandbox.world import World
from tests.bot.answers import send
from tests.bot.releases_made import Floor, button_values, words
from tests.bot.slack_rules import accepted
from tests.bot.workspace import PAM
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.feedback.sending import Wire, a_running_poll

GOOD, BAD = "Snapdragon 680", "Helio G35"


@dataclass(slots=True)
class Ward:
    """A release that runs, and whoever looks at it."""

    floor: Floor

    @property
    def ctx(self) -> Context:
        return self.floor.ctx

    def reported(self, *, crashing: float, installs: int = 60) -> None:
        """Phones of a sound and a bad chipset report one more hour."""
        self.floor.clock.advance(hours=1)
        self.floor.phones_report(crashing=0.0, on=GOOD, installs=3 * installs)
        self.floor.phones_report(crashing=crashing, on=BAD, installs=installs)

    def look(self) -> None:
        flow.look_at_release(self.ctx, self.floor.release().id)

    def standing(self) -> tuple[Found, ...]:
        with reading(self.ctx.databases.control) as session:
            return regressions.standing(session, app="demo")

    def tickets(self) -> tuple[Ticket, ...]:
        with reading(self.ctx.databases.control) as session:
            return tickets.recent(session)

    def ask(self, line: str) -> Message:
        message = handle(self.ctx, Person(PAM, "pam"), line)
        accepted(message)
        for level in range(4):
            accepted(blocks.degrade(message, level))
        return message


@pytest.fixture
def ward(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Ward:
    floor = Floor(ctx, world, jobs, clock)
    floor.started()
    return Ward(floor)


def test_a_cohort_that_all_but_a_few_are_in_is_told_as_everyone(ward: Ward) -> None:
    ward.floor.clock.advance(hours=1)
    ward.floor.phones_report(crashing=0.4, on=BAD, installs=200)
    ward.floor.phones_report(crashing=0.0, on=GOOD, installs=9)
    ward.look()

    (found,) = ward.standing()

    assert found.cohort == ""
    assert found.facts.installs_baseline + found.facts.installs_candidate == 418
    assert BAD not in words(ward.ask(f"regression show {found.fingerprint}"))


def test_rules_that_beside_the_cohort_and_everyone_leave_a_few_over_are_not_told(ward: Ward) -> None:
    """On Android all have the bad chipset but eight; everybody's numbers are on the card."""
    ward.floor.clock.advance(hours=1)
    ward.floor.phones_report(crashing=0.4, on=BAD, installs=60)
    ward.floor.phones_report(crashing=0.0, on="Exynos 850", installs=4)
    ward.floor.phones_report(crashing=0.0, on="Apple A15", installs=60, both={"os.name": "iOS", "os.version": "17"})
    ward.look()

    (found,) = ward.standing()
    everyone, named = 248, found.facts.installs_baseline + found.facts.installs_candidate
    told = [everyone, named, *(rival.installs for rival in found.facts.rivals)]

    assert [(one, other) for one in told for other in told if 0 < one - other < 20] == []


def test_the_cohort_that_got_worse_is_kept_with_its_numbers(ward: Ward) -> None:
    ward.reported(crashing=0.4)
    ward.look()

    (found,) = ward.standing()
    assert (found.metric, found.cohort, found.version) == ("crash_rate", 'chipset="Helio G35"', "1.4.0")
    assert found.facts.candidate == pytest.approx(0.4)
    assert found.facts.baseline == 0
    assert found.facts.confidence > 0.9


def test_nothing_is_kept_of_a_release_that_is_sound(ward: Ward) -> None:
    ward.reported(crashing=0.0)
    ward.look()

    assert ward.standing() == ()
    assert ward.tickets() == ()


def test_a_tick_asks_for_a_look_only_when_a_seventh_more_was_reported(ward: Ward) -> None:
    release = ward.floor.release()
    assert not flow.ask_for_look(ward.ctx, release)
    ward.reported(crashing=0.0)

    assert flow.ask_for_look(ward.ctx, release)
    ward.look()
    assert not flow.ask_for_look(ward.ctx, release)
    ward.reported(crashing=0.0)
    assert flow.ask_for_look(ward.ctx, release)


def test_it_keeps_its_fingerprint_as_numbers_move_and_gets_one_ticket_at_the_third_look(ward: Ward) -> None:
    wanted, names = [], set()
    for crashing in (0.4, 0.3, 0.35, 0.5):
        ward.reported(crashing=crashing)
        ward.look()
        names.add(ward.standing()[0].fingerprint)
        wanted.append(len(ward.tickets()))

    assert len(names) == 1
    assert wanted == [0, 0, 1, 1]
    (ticket,) = ward.tickets()
    assert ticket.fingerprint in names
    assert ticket.regression.sentence.startswith('Crash rate is worse for chipset="Helio G35"')
    assert ticket.regression.evidence[0].candidate == pytest.approx(ward.standing()[0].facts.candidate)


def test_a_breach_and_a_look_are_about_one_ticket(ward: Ward) -> None:
    for _ in range(3):
        ward.reported(crashing=0.5, installs=200)
        ward.look()
    ward.floor.tick()

    assert "cohort_rolled_back" in ward.floor.history()
    (ticket,) = ward.tickets()
    assert ticket.fingerprint == ward.standing()[0].fingerprint


def test_what_is_not_found_any_more_is_gone_but_still_told(ward: Ward) -> None:
    ward.reported(crashing=0.4)
    ward.look()
    fingerprint = ward.standing()[0].fingerprint
    with ward.ctx.databases.control.begin() as session:
        regressions.settle(session, ward.standing(), still=[], now=ward.floor.clock())

    assert ward.standing() == ()
    assert "No regression stands" in ward.ask("regression list").text
    assert "was worse for" in ward.ask(f"regression show {fingerprint}").text


def test_the_list_has_a_table_and_leads_to_the_explanation(ward: Ward) -> None:
    ward.reported(crashing=0.4)
    ward.look()

    listed = ward.ask("regression list kws")
    (found,) = ward.standing()

    assert listed.text == "1 regression of *kws* stands."
    assert f"regression show {found.fingerprint}" in button_values(listed).values()
    shown = ward.ask(f"regression show {found.fingerprint[:6]}")
    assert "40 % against 0 %" in words(shown)
    chart = next(block for block in shown.blocks if block["type"] == "data_visualization")
    assert chart["chart"]["axis_config"]["categories"][0] == 'chipset="Helio G35"'
    assert "kws 1.4.0 against 1.3.2 in R1" in words(shown)
    buttons = button_values(shown)
    assert buttons["Open ticket"].startswith("ticket open R1 metric=crash_rate where=")
    assert buttons["Show release"] == "release show R1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("regression list", "No regression stands"),
        ("regression show", "something is missing"),
        ("regression show zzzz", "There is no regression zzzz"),
        ("regression show ab", "There is no regression ab"),
        ("regression show %%%%", "There is no regression"),
        ("regression list kws colour=red", "colour="),
    ],
)
def test_a_question_without_an_answer_says_what_there_is(ward: Ward, line: str, said: str) -> None:
    assert said in words(ward.ask(line))


def test_a_model_that_got_worse_without_a_release_is_found_against_its_weeks_before(ward: Ward) -> None:
    now = ward.floor.clock
    with ward.ctx.databases.control.begin() as session:
        a_running_poll(session)
    for week in range(5):
        now.advance(days=7)
        last = week == 4
        for chipset, bad in ((GOOD, False), (BAD, last)):
            send_ratings(ward, chipset, [1, 2] * 20 if bad else [5, 4] * 20)
    flow.look_at_weeks(ward.ctx, "kws")

    (found,) = ward.standing()
    assert (found.metric, found.cohort, found.source) == ("csat", 'chipset="Helio G35"', "weeks")
    assert found.facts.candidate == pytest.approx(1.5)
    assert "the last 7 days against the 4 weeks before" in words(ward.ask(f"regression show {found.fingerprint}"))


def test_every_night_each_model_and_each_watched_release_is_looked_at_once(ward: Ward) -> None:
    ward.floor.jobs.waiting.clear()
    for _ in range(2):
        nightly.run(ward.ctx)

    asked = [(job.job, *job.ids.values()) for job in ward.floor.jobs.waiting]
    assert ("look_for_regressions", ward.floor.release().id) in asked
    assert ("look_at_weeks", "kws") in asked
    assert len(asked) == len(set(asked))


def send_ratings(ward: Ward, chipset: str, ratings: list[int]) -> None:
    wire = Wire(ward.ctx.databases, ward.ctx.settings, ward.floor.clock)
    model = {"name": "kws", "version": "1.3.2"}
    send(wire, chipset, ratings, at=ward.floor.clock() - timedelta(hours=1), model=model)
