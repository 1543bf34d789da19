"""Exactly one ticket, whatever fails and wherever the job is cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from bot import tickets
from bot.flows import regression
from bot.ticket_steps import SETTLE
from core import audit
from core.db import Databases
from core.errors import UpstreamError
from core.settings import Settings
from tests.bot.ticket_worker import House
from tests.bot.tickets_made import FINGERPRINT
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import a_client, a_jira, a_wire, held_to_contract


@pytest.fixture
def house(databases: Databases, jobs: JobList, settings: Settings, clock: ManualClock) -> House:
    return House(databases=databases, jobs=jobs, settings=settings, clock=clock, jira=a_jira(clock))


def test_opens_one_ticket_and_announces_it(house: House) -> None:
    house.want()
    with held_to_contract(house.wire):
        assert house.run() == 0

    house.assert_exactly_one()
    issue = house.jira.all()[0]
    assert issue.labels == ["muster", f"muster-{FINGERPRINT}"]
    assert issue.summary == 'kws 1.4.0: crash rate worse for chipset="Helio G35" and accelerator=nnapi'
    assert [message["channel"] for message in house.slack.said] == ["C0RELEASES"]
    assert "EDGE-88" in house.slack.said[0]["text"]


def test_the_audit_log_names_the_ticket(house: House) -> None:
    house.want()
    house.run()

    with house.databases.control.begin() as session:
        assert [entry.what for entry in audit.entries(session, subject="rel_1")] == ["ticket.opened"]
        assert audit.verify(session) is None


# Each fault as the switches that are turned before round n of the worker.
FAULTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "all is well": lambda n: {},
    "the index lags for ever": lambda n: {"jira_lag_s": 1e9},
    "a create is done but never answered": lambda n: {} if n else {"jira_timeout_after_create": 1},
    "the same, while the index lags for ever": lambda n: (
        {} if n else {"jira_timeout_after_create": 3, "jira_lag_s": 1e9}
    ),
    "too many requests": lambda n: {} if n else {"jira_429": 7},
    "an outage of ten rounds": lambda n: {"jira_down": n < 10},
    "a lost answer between two outages, and a lag": lambda n: {
        "jira_down": n in (0, 2, 3, 4),
        "jira_lag_s": 600.0,
        **({"jira_timeout_after_create": 1} if n == 1 else {}),
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_exactly_one_ticket_wherever_the_worker_is_killed(house: House, fault: str) -> None:
    def turn(number: int) -> None:
        house.jira.faults.set(**FAULTS[fault](number))

    house.want()
    house.run(turn)
    house.assert_exactly_one()
    points = house.points

    for die_at in range(1, points + 1):
        start_over(house)
        house.die_at = die_at
        house.run(turn)
        house.die_at = None
        house.assert_exactly_one()


def start_over(house: House) -> None:
    with house.databases.control.begin() as session:
        session.query(tickets.TicketRow).delete()
    house.jobs.seen.clear()
    house.jobs.waiting.clear()
    house.jira = a_jira(house.clock)
    house.wire = a_wire(house.jira, house.watch)
    house.want()


def test_killed_at_every_second_point_it_still_comes_to_one(house: House) -> None:
    house.jira.faults.set(jira_timeout_after_create=1, jira_lag_s=1e9)
    house.want()

    def kill_soon(number: int) -> None:
        house.die_at = house.points + 2 + number if number < 30 else None

    house.run(kill_soon)

    house.assert_exactly_one()


def test_a_create_that_comes_through_after_we_stopped_waiting_is_adopted(house: House) -> None:
    house.want()
    late: list[requests.PreparedRequest] = []

    def hold(when: str, request: requests.PreparedRequest) -> None:
        if when == "before" and request.method == "POST" and str(request.path_url).endswith("/issue") and not late:
            late.append(request)
            raise requests.ReadTimeout

    house.wire.watch = hold

    def let_through(number: int) -> None:
        if number == 2:
            house.wire.send(late[0])

    assert house.run(let_through) < SETTLE / timedelta(seconds=20) + 1
    house.assert_exactly_one()


def test_a_create_that_never_reached_jira_is_sent_again_after_it_settled(house: House) -> None:
    house.want()
    lost: list[datetime] = []

    def lose(when: str, request: requests.PreparedRequest) -> None:
        if when == "before" and request.method == "POST" and str(request.path_url).endswith("/issue") and not lost:
            lost.append(house.wall())
            raise requests.ReadTimeout

    house.wire.watch = lose
    house.run()

    assert house.wall() - lost[0] >= SETTLE
    house.assert_exactly_one()


def test_a_sandbox_clock_that_races_does_not_make_two(house: House) -> None:
    house.jira.faults.set(jira_timeout_after_create=1, jira_lag_s=1e9)
    house.want()

    def race(_number: int) -> None:
        house.clock.advance(days=1)

    house.run(race)

    house.assert_exactly_one()


def test_other_peoples_issues_meanwhile_do_not_confuse_it(house: House) -> None:
    house.jira.faults.set(jira_timeout_after_create=1, jira_lag_s=1e9)
    house.want()

    def theirs(number: int) -> None:
        for _ in range(5):
            house.jira.create({"summary": "theirs", "issuetype": {"name": "Task"}}, {})

    house.run(lambda number: theirs(number) if number < 3 else None)

    assert len([issue for issue in house.jira.all() if issue.summary != "theirs"]) == 1
    assert house.ticket().state == "open"


def test_a_database_that_was_restored_adopts_the_issue_it_forgot(house: House) -> None:
    house.want()
    house.run()
    with house.databases.control.begin() as session:
        session.query(tickets.TicketRow).delete()
    house.jobs.seen.clear()
    house.clock.advance(hours=1)
    house.want()
    house.run()

    house.assert_exactly_one()


def test_two_workers_with_the_same_job_make_one_ticket(house: House) -> None:
    house.want()
    ran: list[bool] = []

    def second_worker(when: str, request: requests.PreparedRequest) -> None:
        posts = request.method == "POST" and str(request.path_url).endswith("/issue")
        if when == "before" and posts and not ran:
            ran.append(True)
            with pytest.raises(UpstreamError, match="may still be at work"):
                regression.open_ticket(house.ctx, FINGERPRINT, wall=house.wall)

    house.wire.watch = second_worker
    house.run()

    assert ran
    house.assert_exactly_one()


def test_two_workers_that_decide_at_once_make_one_ticket(house: House) -> None:
    house.want()
    ran: list[bool] = []

    def second_worker(when: str, request: requests.PreparedRequest) -> None:
        if when == "after" and not ran and b"ORDER BY created" in (request.body or b""):
            ran.append(True)
            regression.open_ticket(house.ctx, FINGERPRINT, wall=house.wall)

    house.wire.watch = second_worker
    house.run()

    assert ran
    house.assert_exactly_one()


def test_a_refusal_is_noted_where_people_look_and_loses_nothing(house: House) -> None:
    house.want()
    wrong = replace(house.ctx, jira=a_client(house.wire, token="expired"))

    with pytest.raises(UpstreamError) as caught:
        regression.open_ticket(wrong, FINGERPRINT, wall=house.wall)

    assert caught.value.permanent
    assert "HTTP 401" in (house.ticket().problem or "")
    with house.databases.control.begin() as session:
        tickets.wake_stuck(session, house.clock())
    house.run()
    house.assert_exactly_one()


def test_a_refused_create_is_not_taken_for_one_on_its_way(house: House) -> None:
    house.want()
    wrong = replace(house.ctx, jira=a_client(house.wire, issue_type="Regression"))

    with pytest.raises(UpstreamError):
        regression.open_ticket(wrong, FINGERPRINT, wall=house.wall)

    assert (house.ticket().state, house.ticket().attempt) == ("pending", None)


def test_without_a_jira_the_ticket_waits_and_says_so(house: House) -> None:
    house.want()
    regression.open_ticket(replace(house.ctx, jira=None), FINGERPRINT)

    assert "no Jira is set up" in (house.ticket().problem or "")
