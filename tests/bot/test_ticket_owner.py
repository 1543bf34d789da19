"""Who owns a model: told in Slack, known to Jira, and given the model's tickets."""

from __future__ import annotations

import pytest

from bot import model_owners
from bot.context import Context
from bot.model_owners import Owner
from core.db import Databases
from core.settings import Settings
from sandbox.jira import ACCOUNTS
from sandbox.world import World
from tests.bot.ticket_desk import Desk, a_desk
from tests.bot.ticket_worker import House
from tests.bot.workspace import PAM
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.integrations.wire import a_jira


@pytest.fixture
def desk(ctx: Context, world: World, jobs: JobList) -> Desk:
    return a_desk(ctx, world, jobs)


def test_a_model_gets_an_owner_that_jira_knows(desk: Desk) -> None:
    line = 'ticket owner kws assignee=mia@example.com component="keyword spotter"'
    assert "Nobody owns *kws*" in desk.type("ticket owner kws").text

    assert "Dry run" in desk.type(f"{line} --dry-run").text
    assert "Nobody owns" in desk.type("ticket owner kws").text
    assert "go to *Mia*, component *Keyword spotter*" in desk.type(line).text
    assert "component *Keyword spotter*" in desk.type("ticket owner kws assignee=none").text
    assert "Mia" not in desk.type("ticket owner kws").text


def test_an_owner_that_jira_does_not_know_is_refused_with_all_that_is_wrong(desk: Desk) -> None:
    said = "\n".join(map(str, desk.type("ticket owner kws assignee=max component=Brakes").blocks))

    assert "is not exactly one account" in said
    assert "EDGE has Keyword spotter, Next word" in said
    assert "takes the role operator" in desk.type("ticket owner kws component=none", person=PAM).text


def owner(house: House, told: Owner) -> None:
    with house.databases.control.begin() as session:
        model_owners.put(session, "demo", "kws", told, by="U0TOM", now=house.clock())


MIA = next(account for account, name in ACCOUNTS.items() if name == "Mia")


@pytest.mark.parametrize(
    ("told", "assignee", "components"),
    [
        pytest.param(Owner(assignee=MIA, assignee_name="Mia", component="Next word"), MIA, ("Next word",), id="both"),
        pytest.param(Owner(assignee="left", assignee_name="Max", component=None), None, (), id="somebody who has left"),
    ],
)
def test_a_ticket_goes_to_the_models_owner_and_is_opened_without_one_too(
    databases: Databases, jobs: JobList, settings: Settings, clock: ManualClock, told: Owner, assignee: str | None,
    components: tuple[str, ...],
) -> None:  # fmt: skip
    house = House(databases=databases, jobs=jobs, settings=settings, clock=clock, jira=a_jira(clock))
    owner(house, told)
    house.want()
    house.run()

    (issue,) = house.jira.all()
    assert (issue.assignee, issue.components) == (assignee, components)
    house.assert_exactly_one()
