"""A ticket from health to relapse: told, closed, opened again, begun anew, refused, deleted; killed anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Delete, delete

from bot.flows import issue_news
from bot.tickets import TicketRow
from core.db import Databases
from core.settings import Settings
from integrations import adf
from sandbox.jira import STATUSES, Issue
from tests.bot.ticket_worker import House
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import a_data_center_client, a_jira, held_to_contract

DONE, REFUSED, OPEN = STATUSES["4"], STATUSES["5"], STATUSES["1"]


@pytest.fixture
def house(databases: Databases, jobs: JobList, settings: Settings, clock: ManualClock) -> House:
    house = House(databases=databases, jobs=jobs, settings=settings, clock=clock, jira=a_jira(clock))
    house.want()
    house.run()
    return house


def issues(house: House) -> tuple[Issue, ...]:
    return house.jira.all()


def comments(house: House, number: int = 0) -> list[str]:
    return [adf.plain_text(each["body"]) for each in issues(house)[number].comments]


def people(house: House, status: str) -> None:
    """Somebody moves the newest issue, and Jira's webhook says so."""
    house.jira.move(issues(house)[-1], next(each for each in STATUSES.values() if each.name == status))
    hear(house)


def hear(house: House) -> None:
    key = house.ticket().key
    assert key is not None
    issue_news.look_at_issue(house.ctx, key)
    house.run()


def said(house: House) -> list[str]:
    return [message["text"] for message in house.slack.said]


def test_health_is_told_once_it_has_lasted_and_closing_is_left_to_people(house: House) -> None:
    house.heal()
    house.run()
    assert comments(house) == []

    house.pass_days(2.1)
    house.pass_days(3)

    (comment,) = comments(house)
    assert comment.startswith("Healed: crash rate of kws is no longer worse")
    assert issues(house)[0].status == OPEN.id


def test_health_that_did_not_last_is_not_told(house: House) -> None:
    house.heal()
    house.run()
    house.pass_days(1)
    house.worse()

    house.pass_days(5)

    assert comments(house) == []


def test_the_issue_is_closed_where_that_is_set_and_not_as_refused(house: House) -> None:
    house.settings = replace(house.settings, ticket_closes=True)
    house.heal()
    house.pass_days(2.1)

    assert issues(house)[0].status == DONE.id
    assert (house.ticket().state, house.ticket().resolution) == ("done", "healed")


def test_what_is_bad_again_opens_its_young_issue_and_says_so(house: House) -> None:
    house.settings = replace(house.settings, ticket_closes=True)
    house.heal()
    house.pass_days(2.1)

    house.pass_days(3)
    house.worse()
    house.run()

    assert issues(house)[0].status == OPEN.id
    assert len(issues(house)) == 1
    assert comments(house)[-1].startswith("kws 1.4.0 crashes on 3.6 %")
    assert (house.ticket().state, house.ticket().again) == ("open", False)


def test_what_is_bad_again_much_later_gets_a_new_issue_that_relates_to_the_old(house: House) -> None:
    house.settings = replace(house.settings, ticket_closes=True)
    house.heal()
    house.pass_days(2.1)

    house.pass_days(20)
    house.worse()
    house.run()

    old, new = issues(house)
    assert (old.status, new.status) == (DONE.id, OPEN.id)
    assert new.related == [old.key]
    assert (house.ticket().key, house.ticket().generation) == (new.key, 2)
    assert sum("EDGE-" in each for each in said(house)) == 2


def test_an_issue_that_people_close_while_phones_still_have_the_bad_version_stays_closed(house: House) -> None:
    people(house, "Done")

    for _ in range(3):
        house.worse()
        house.pass_days(2)

    assert (house.ticket().state, issues(house)[0].status, len(issues(house))) == ("done", DONE.id, 1)


def test_but_worse_than_the_issue_knows_opens_it(house: House) -> None:
    people(house, "Done")

    house.worse(effect=0.3)
    house.run()

    assert (house.ticket().state, issues(house)[0].status) == ("open", OPEN.id)


def test_what_nobody_will_do_is_muted_for_good(house: House) -> None:
    people(house, "Won't do")

    house.worse(effect=0.5)
    house.heal()
    house.pass_days(5)
    house.worse(effect=0.5)
    house.pass_days(5)

    assert (house.ticket().state, house.ticket().resolution) == ("muted", "Won't Do")
    assert (issues(house)[0].status, comments(house), len(issues(house))) == (REFUSED.id, [], 1)
    assert "opens no ticket any more" in said(house)[-1]


def test_refused_while_no_webhook_told_us_is_seen_before_it_is_opened_again(house: House) -> None:
    house.settings = replace(house.settings, ticket_closes=True)
    house.heal()
    house.pass_days(2.1)
    house.jira.move(issues(house)[0], REFUSED)

    house.worse()
    house.run()

    assert (house.ticket().state, issues(house)[0].status) == ("muted", REFUSED.id)


def test_opened_again_by_people_it_lives_on(house: House) -> None:
    people(house, "Won't do")
    people(house, "In Progress")

    house.worse(effect=0.3)
    house.pass_days(2)

    assert house.ticket().state == "open"
    assert len(comments(house)) == 1
    assert "is open again" in said(house)[-1]


def test_a_deleted_issue_is_not_made_again_just_so(house: House) -> None:
    house.jira.delete(issues(house)[0])
    hear(house)
    house.worse()
    house.pass_days(2)

    assert issues(house) == ()
    assert "was deleted in Jira" in said(house)[-1]


def test_but_worse_than_the_deleted_one_knew_is_made_anew(house: House) -> None:
    house.jira.delete(issues(house)[0])

    house.worse(effect=0.3)
    house.pass_days(2)

    (new,) = issues(house)
    assert (house.ticket().key, new.related) == (new.key, [])


def test_late_and_swapped_webhooks_leave_what_is_so(house: House) -> None:
    house.jira.move(issues(house)[0], DONE)
    house.jira.move(issues(house)[0], OPEN)

    for _ in range(2):
        hear(house)

    assert house.ticket().state == "open"
    assert len(said(house)) == 1


def _closes_and_relapses(house: House, days: float) -> None:
    house.settings = replace(house.settings, ticket_closes=True)
    house.heal()
    house.pass_days(2.1)
    house.pass_days(days)
    house.worse(effect=0.3)
    house.pass_days(2)


def _is_opened_once(house: House) -> None:
    (issue,) = issues(house)
    assert issue.status == OPEN.id
    assert (house.ticket().state, house.ticket().attempt) == ("open", None)
    told = [each.splitlines()[0][:6] for each in comments(house)]
    assert told == ["Healed", "kws 1."]


def _has_one_successor(house: House) -> None:
    old, new = issues(house)
    assert (old.status, new.status, new.related) == (DONE.id, OPEN.id, [old.key])
    assert (house.ticket().key, house.ticket().attempt, house.ticket().linked) == (new.key, None, True)
    assert len(comments(house)) == 1


@pytest.mark.parametrize(
    ("days", "is_right"),
    [
        pytest.param(1.0, _is_opened_once, id="opened again"),
        pytest.param(30.0, _has_one_successor, id="begun anew"),
    ],
)
def test_killed_at_any_point_each_thing_is_done_once(
    databases: Databases, settings: Settings, clock: ManualClock, jobs: JobList, house: House, days: float,
    is_right: Callable[[House], None],
) -> None:  # fmt: skip
    house.points = 0
    _closes_and_relapses(house, days)
    is_right(house)
    points = house.points
    assert points > 15
    with databases.control.begin() as session:
        session.execute(_forget())

    for die_at in range(1, points + 1):
        jobs.waiting.clear()
        jobs.seen.clear()
        again = House(databases=databases, jobs=jobs, settings=settings, clock=ManualClock(), jira=a_jira(clock))
        again.jira.clock = again.clock
        again.want()
        again.run()
        again.points, again.die_at = 0, die_at
        _closes_and_relapses(again, days)
        is_right(again)
        again.die_at = None
        with databases.control.begin() as session:
            session.execute(_forget())


def _forget() -> Delete:
    return delete(TicketRow)


def test_all_of_it_keeps_to_atlassians_contract(house: House) -> None:
    with held_to_contract(house.wire):
        _closes_and_relapses(house, 30)


def test_data_center_lives_through_the_same(house: House) -> None:
    house.jira.deployment = "Server"
    house.client = a_data_center_client(house.wire)

    _closes_and_relapses(house, 30)

    _, new = issues(house)
    assert isinstance(new.description, str)
    assert new.description.startswith("{panel:bgColor=#ffebe6}")
    assert "Healed" in str(issues(house)[0].comments[0]["body"])
