"""The release's card says what has become of its tickets, as soon as Jira tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot import tickets
from bot.context import Context
from bot.flows import issue_news, regression
from bot.flows.release_card import card_facts
from bot.ticket_rules import Ticket
from bot.views import release as views
from core.db import reading
from sandbox.jira import STATUSES, JiraWorld
from sandbox.world import World
from tests.bot.releases_made import Floor, words
from tests.bot.workspace import DANA
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import a_client, a_jira, a_wire


@pytest.fixture
def jira(clock: ManualClock) -> JiraWorld:
    return a_jira(clock)


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock, jira: JiraWorld) -> Floor:
    """A release that was rolled back, whose ticket is open."""
    floor = Floor(ctx=replace(ctx, jira=a_client(a_wire(jira))), world=world, jobs=jobs, clock=clock)
    floor.started()
    clock.advance(minutes=20)
    floor.phones_report(crashing=0.4)
    floor.tick()
    regression.open_ticket(floor.ctx, ticket(floor).fingerprint)
    show(floor)
    return floor


def ticket(floor: Floor) -> Ticket:
    with reading(floor.ctx.databases.control) as session:
        (found,) = tickets.of_release(session, floor.release().id)
    return found


def show(floor: Floor) -> None:
    """Show the card if anything asked for that."""
    floor.jobs.waiting = [job for job in floor.jobs.waiting if job.job == "show_card"]
    floor.run()


def moved(floor: Floor, jira: JiraWorld, status: str) -> None:
    """Somebody moves the issue, and the job of Jira's webhook runs."""
    (issue,) = jira.all()
    jira.move(issue, next(each for each in STATUSES.values() if each.name == status))
    issue_news.look_at_issue(floor.ctx, issue.key)
    show(floor)


def test_who_looks_for_the_finding_of_a_guardrail_among_regressions_is_told_where_it_is(floor: Floor) -> None:
    mark = ticket(floor).fingerprint

    said = floor.type(DANA, f"regression show {mark}").text

    assert f"{mark} is what a guardrail of R1 found" in said
    assert f"ticket show {mark}" in said
    assert mark in words(floor.type(DANA, f"ticket show {mark}"))


def test_an_issue_that_people_close_refuse_and_open_again_is_shown_so_on_the_card(
    floor: Floor, jira: JiraWorld
) -> None:
    key = ticket(floor).key
    seen = [words(floor.card())]

    for status in ("Done", "Won't do", "To Do"):
        moved(floor, jira, status)
        seen.append(words(floor.card()))

    assert key is not None
    assert [said.split(f"|{key}> ")[1].split(")")[0] for said in seen] == ["(open", "(closed", "(won't do", "(open"]
    assert len(floor.cards()) == 1


def test_a_muted_ticket_is_shown_so_at_once(floor: Floor) -> None:
    floor.type(DANA, f"ticket mute {ticket(floor).fingerprint} 30d")
    show(floor)

    assert "(muted)" in words(floor.card())


def test_a_ticket_without_an_issue_has_no_state_to_tell(floor: Floor) -> None:
    card = card_facts(floor.ctx, floor.release().id, floor.clock())

    said = [views.ticket_text(replace(each, key=None, url=None)) for each in card.tickets]

    assert said == [f"being opened (`{ticket(floor).fingerprint}`)"]
