"""Exactly one ticket, whatever fails and wherever the job is cut off."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy import event

from bot import cards, speech, tickets
from bot.context import Context
from bot.flows import regression
from bot.ticket_rules import SETTLE, Ticket
from core import audit
from core.db import Databases
from core.errors import UpstreamError
from core.settings import Settings
from sandbox.jira import JiraWorld
from tests.bot.tickets_made import FINGERPRINT, a_regression, evidence
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import Wire, a_client, a_jira, a_wire, held_to_contract

PATIENCE = 60


class Killed(BaseException):
    """The process ends here, as with kill -9."""


class FakeSlack(WebClient):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__(token="xoxb-test")
        self.said: list[dict[str, Any]] = []
        self.trouble: list[Exception] = []

    def chat_postMessage(self, **message: Any) -> Any:
        if self.trouble:
            raise self.trouble.pop(0)
        self.said.append(message)
        return {"ok": True, "ts": "1.2"}

    def chat_getPermalink(self, **message: Any) -> Any:
        if self.trouble:
            raise self.trouble.pop(0)
        return {"ok": True, "permalink": f"https://slack.example/{message['channel']}/{message['message_ts']}"}


@dataclass(slots=True)
class House:
    """One worker with its jobs, its clocks and the pretended Jira. `die_at` is the point at which it is killed."""

    databases: Databases
    jobs: JobList
    settings: Settings
    clock: ManualClock
    jira: JiraWorld
    wire: Wire = field(init=False)
    slack: FakeSlack = field(default_factory=FakeSlack)
    wall: ManualClock = field(default_factory=ManualClock)
    points: int = 0
    place: str = ""
    die_at: int | None = None

    def __post_init__(self) -> None:
        self.wire = a_wire(self.jira, self.watch)
        event.listen(self.databases.control, "before_commit", lambda _session: self.point())

    def watch(self, _when: str, request: requests.PreparedRequest) -> None:
        """Reading one key after the other is one place: nothing changes in between."""
        place = re.sub(r"\d+", "1", f"{request.method} {request.path_url}")
        if place != self.place or request.method != "GET":
            self.point()
        self.place = place

    def point(self) -> None:
        """A place between two outside calls or commits."""
        self.points += 1
        if self.points == self.die_at:
            raise Killed

    @property
    def ctx(self) -> Context:
        return Context(
            settings=self.settings,
            clock=self.clock,
            databases=self.databases,
            slack=self.slack,
            jira=a_client(self.wire),
        )

    def want(self, effect: float = 0.032) -> None:
        with self.databases.control.begin() as session:
            tickets.want(session, a_regression(evidence(effect=effect)), now=self.clock())
        self.points = 0

    def run(self, each_round: Callable[[int], None] = lambda _round: None) -> int:
        """Let the worker work until nothing is left, being started again whenever it is killed; return the rounds."""
        for number in range(PATIENCE):
            each_round(number)
            again = []
            while self.jobs.waiting:
                job = self.jobs.waiting.pop(0)
                try:
                    self._perform(job.job, job.ids.get("fingerprint", ""))
                except Killed:
                    again.append(job)
                except UpstreamError as error:
                    if error.permanent:
                        raise
                    again.append(job)
            if not again:
                return number
            self.jobs.waiting = again
            self.clock.advance(seconds=20)
            self.wall.advance(seconds=20)
        raise AssertionError("it never came to rest")

    def _perform(self, job: str, fingerprint: str) -> None:
        if job == "open_ticket":
            regression.open_ticket(self.ctx, fingerprint, wall=self.wall)
        elif job == "announce_ticket":
            regression.announce_ticket(self.ctx, fingerprint)

    def ticket(self) -> Ticket:
        with self.databases.control.begin() as session:
            return tickets.load(session, FINGERPRINT)

    def assert_exactly_one(self) -> None:
        issues = self.jira.all()
        ticket = self.ticket()
        assert [issue.key for issue in issues] == [ticket.key]
        assert (ticket.state, ticket.linked, ticket.problem, ticket.attempt) == ("open", True, None, None)
        assert [link["globalId"] for link in issues[0].links] == [f"muster:{FINGERPRINT}"]
        assert issues[0].comments == []


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
    assert issue.summary == 'kws 1.4.0: crash_rate worse for chipset="Helio G35" and accelerator=nnapi'
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
    house.slack.trouble = [OSError("no route"), _slack_error(429, "ratelimited"), _slack_error(503, "")]
    house.want()
    house.run()

    assert len(house.slack.said) == 1
    assert house.ticket().announced


def test_an_announcement_that_slack_refuses_is_given_up(house: House) -> None:
    house.want()
    regression.open_ticket(house.ctx, FINGERPRINT, wall=house.wall)
    house.slack.trouble = [_slack_error(200, "channel_not_found")]

    with pytest.raises(speech.NoWayError, match="channel_not_found") as caught:
        regression.announce_ticket(house.ctx, FINGERPRINT)

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


class _Reply(dict[str, Any]):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(ok=False, error=error)
        self.status_code = status
        self.headers = {"Retry-After": "3"} if status == 429 else {}
        self.data = dict(self)


def _slack_error(status: int, error: str) -> SlackApiError:
    return SlackApiError("refused", _Reply(status, error))  # type: ignore[no-untyped-call]
