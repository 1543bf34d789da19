"""A desk for tests, at which people type about tickets; the pretended Jira answers over real HTTP."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot import store as bot_store
from bot import tickets
from bot.answer import Person, handle
from bot.context import Context
from bot.flows import issue_news, regression
from bot.ticket_rules import Ticket
from bot.views.blocks import Message
from integrations.http import JsonClient
from integrations.jira import JiraClient
from releases.plan import Release
from sandbox.jira import EMAIL, PROJECT, TOKEN
from sandbox.world import World
from tests.bot.slack_rules import accepted
from tests.bot.tickets_made import a_regression
from tests.bot.workspace import DANA, RELEASES
from tests.conftest import JobList
from tests.releases.builders import register_both, start


@dataclass(slots=True)
class Desk:
    """Dana is operator, Pam has no role."""

    ctx: Context
    world: World
    jobs: JobList

    def type(self, line: str, *, person: str = DANA, delivery: str | None = None) -> Message:
        message = handle(self.ctx, Person(person, person), line, channel=RELEASES, delivery=delivery)
        accepted(message)
        return message

    def want(self, **changes: object) -> Ticket:
        with self.ctx.databases.control.begin() as session:
            return tickets.want(session, a_regression(**changes), now=self.ctx.clock())

    def work(self) -> None:
        jobs = {"open_ticket": regression.open_ticket, "announce_ticket": issue_news.announce_ticket}
        self.jobs.run(self.ctx, {**jobs, "show_card": lambda _ctx, release: None})
        assert self.jobs.failed == []

    def only_ticket(self) -> Ticket:
        with self.ctx.databases.control.begin() as session:
            (ticket,) = tickets.recent(session)
        return ticket

    def start_release(self) -> Release:
        with self.ctx.databases.control.begin() as session:
            return start(session)[0]


def a_desk(ctx: Context, world: World, jobs: JobList) -> Desk:
    http = JsonClient("jira", world.jira.base_url, auth=(EMAIL, TOKEN), pause=lambda _seconds: None)
    with ctx.databases.control.begin() as session:
        register_both(session)
        bot_store.grant(session, person=DANA, role="operator", model="*", by="U0TOM", now=ctx.clock())
    return Desk(ctx=replace(ctx, jira=JiraClient(http, project=PROJECT, issue_type="Bug")), world=world, jobs=jobs)
