"""What follows once a ticket is open: comments, announcements, links; each once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot import cards, speech, tickets
from bot.flows import issue_news, regression
from core.db import Databases
from core.settings import Settings
from tests.bot.ticket_worker import House, slack_error
from tests.bot.tickets_made import FINGERPRINT, a_regression
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import a_jira, held_to_contract


@pytest.fixture
def house(databases: Databases, jobs: JobList, settings: Settings, clock: ManualClock) -> House:
    return House(databases=databases, jobs=jobs, settings=settings, clock=clock, jira=a_jira(clock))


def test_a_new_band_is_told_once_and_at_most_once_a_day(house: House) -> None:
    house.want()
    house.run()
    house.clock.advance(hours=1)
    house.want(effect=0.3)
    house.run()
    assert house.jira.all()[0].comments == []

    house.clock.advance(hours=24)
    house.want(effect=0.1)
    house.want(effect=0.3)
    with held_to_contract(house.wire):
        house.run()
    house.want(effect=0.32)
    house.run()

    assert len(house.jira.all()[0].comments) == 1
    assert house.ticket().said_band == 6


def test_exactly_one_comment_wherever_the_worker_is_killed(house: House) -> None:
    house.want()
    house.run()
    house.clock.advance(hours=25)

    for die_at in range(1, 12):
        house.clock.advance(hours=25)
        before = len(house.jira.all()[0].comments)
        house.want(effect=0.3 if die_at % 2 else 0.03)
        house.die_at = die_at
        house.run()
        house.die_at = None
        assert len(house.jira.all()[0].comments) == before + 1


def test_a_muted_fingerprint_opens_nothing(house: House) -> None:
    house.want()
    with house.databases.control.begin() as session:
        tickets.mute(session, tickets.load(session, FINGERPRINT), until=None)
    house.run()

    assert house.jira.all() == ()
    assert house.slack.said == []


def test_the_announcement_waits_for_slack(house: House) -> None:
    house.slack.trouble = [OSError("no route"), slack_error(429, "ratelimited"), slack_error(503, "")]
    house.want()
    house.run()

    assert len(house.slack.said) == 1
    assert house.ticket().announced


def test_an_announcement_that_slack_refuses_is_given_up(house: House) -> None:
    house.want()
    regression.open_ticket(house.ctx, FINGERPRINT, wall=house.wall)
    house.slack.trouble = [slack_error(200, "channel_not_found")]

    with pytest.raises(speech.NoWayError, match="channel_not_found") as caught:
        issue_news.announce_ticket(house.ctx, FINGERPRINT)

    assert caught.value.permanent


def test_is_announced_in_the_thread_of_its_release(house: House) -> None:
    with house.databases.control.begin() as session:
        tickets.want(session, a_regression(), now=house.clock(), channel="C7", thread="17.1")
    house.run()

    assert [(said["channel"], said["thread_ts"]) for said in house.slack.said] == [("C7", "17.1")]


def test_is_announced_under_the_card_when_that_came_later(house: House) -> None:
    house.want()
    with house.databases.control.begin() as session:
        claim = cards.claim(session, "rel_1", "C0RELEASES", at=house.wall(), every=timedelta(seconds=5))
        assert isinstance(claim, cards.Claim)
        cards.note(session, claim, ts="18.2", shown="")
    house.run()

    assert [said["thread_ts"] for said in house.slack.said] == ["18.2"]


def test_the_card_of_the_release_is_shown_again_with_its_ticket(house: House) -> None:
    house.want()
    regression.open_ticket(house.ctx, FINGERPRINT, wall=house.wall)

    assert ("show_card", {"release": "rel_1"}) in [(job.job, job.ids) for job in house.jobs.waiting]


def test_the_issue_links_back_to_the_thread_in_slack(house: House) -> None:
    with house.databases.control.begin() as session:
        tickets.want(session, a_regression(links=()), now=house.clock(), channel="C7", thread="17.1")
    house.run()

    assert house.jira.all()[0].links[0]["object"]["url"] == "https://slack.example/C7/17.1"


def test_without_slack_the_issue_links_back_to_muster(house: House) -> None:
    house.slack.trouble = [OSError("no route")]
    with house.databases.control.begin() as session:
        tickets.want(session, a_regression(links=()), now=house.clock(), channel="C7", thread="17.1")
    house.run()

    assert house.jira.all()[0].links[0]["object"]["url"] == "http://muster.test"
