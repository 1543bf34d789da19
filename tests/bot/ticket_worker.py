"""A worker that opens tickets and can be killed anywhere, with its clocks and the pretended Jira."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy import event

from bot import tickets
from bot.context import Context
from bot.flows import issue_news, regression
from bot.ticket_rules import Ticket
from core.db import Databases
from core.errors import UpstreamError
from core.settings import Settings
from integrations.jira import JiraClient
from sandbox.jira import JiraWorld
from tests.bot.tickets_made import FINGERPRINT, a_regression, evidence
from tests.builders import ManualClock
from tests.conftest import JobList, RecordedJob
from tests.integrations.wire import Wire, a_client, a_wire

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
    put_off: list[tuple[datetime, RecordedJob]] = field(default_factory=list)
    place: str = ""
    is_working: bool = False
    die_at: int | None = None
    client: JiraClient | None = None

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
        """A place between two outside calls or commits of the worker."""
        if not self.is_working:
            return
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
            jira=self.client or a_client(self.wire),
        )

    def want(self, effect: float = 0.032) -> None:
        with self.databases.control.begin() as session:
            tickets.want(session, a_regression(evidence(effect=effect)), now=self.clock())
        self.points = 0

    def worse(self, effect: float = 0.032) -> None:
        """The regression is seen again."""
        with self.databases.control.begin() as session:
            tickets.want(session, a_regression(evidence(effect=effect)), now=self.clock())

    def heal(self) -> None:
        with self.databases.control.begin() as session:
            tickets.healed(session, FINGERPRINT, self.clock())

    def pass_days(self, days: float) -> None:
        """Let time pass, and run what was put off until then."""
        self.clock.advance(days=days)
        self.wall.advance(days=days)
        due_now = [replace(job, after=timedelta()) for due, job in self.put_off if due <= self.clock()]
        self.jobs.waiting += due_now
        self.put_off = [(due, job) for due, job in self.put_off if due > self.clock()]
        self.run()

    def run(self, each_round: Callable[[int], None] = lambda _round: None) -> int:
        """Let the worker work until nothing is left, being started again whenever it is killed; return the rounds."""
        for number in range(PATIENCE):
            each_round(number)
            again = []
            while self.jobs.waiting:
                job = self.jobs.waiting.pop(0)
                if job.after:
                    self.put_off.append((self.clock() + job.after, job))
                    continue
                self.is_working = True
                try:
                    self._perform(job.job, job.ids)
                except Killed:
                    again.append(job)
                except UpstreamError as error:
                    if error.permanent:
                        raise
                    again.append(job)
                finally:
                    self.is_working = False
            if not again:
                return number
            self.jobs.waiting = again
            self.clock.advance(seconds=20)
            self.wall.advance(seconds=20)
        raise AssertionError("it never came to rest")

    def _perform(self, job: str, ids: Mapping[str, str]) -> None:
        fingerprint = ids.get("fingerprint", "")
        match job:
            case "open_ticket":
                regression.open_ticket(self.ctx, fingerprint, wall=self.wall)
            case "announce_ticket":
                issue_news.announce_ticket(self.ctx, fingerprint)
            case "look_at_issue":
                issue_news.look_at_issue(self.ctx, ids["issue"])
            case "tell_issue":
                issue_news.tell_issue(self.ctx, fingerprint, ids["revision"])

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


class _Reply(dict[str, Any]):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(ok=False, error=error)
        self.status_code = status
        self.headers = {"Retry-After": "3"} if status == 429 else {}
        self.data = dict(self)


def slack_error(status: int, error: str) -> SlackApiError:
    return SlackApiError("refused", _Reply(status, error))  # type: ignore[no-untyped-call]
