"""Drift and staleness: found at night, told once, within a budget, and asked for in Slack."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bot import drifts
from bot import store as bot_store
from bot.answer import Person, handle
from bot.context import Context
from bot.drifts import FoundDrift
from bot.flows import drift as flow
from bot.views import blocks
from bot.views.blocks import Message
from core.db import reading
from feedback.ingest import Collector
from sandbox.world import World
from tests.bot.releases_made import words
from tests.bot.slack_rules import accepted
from tests.bot.workspace import DANA, PAM, RELEASES
from tests.builders import T0, ManualClock
from tests.conftest import JobList
from tests.releases.builders import register_both

INSTALLS = 24
Mix = Callable[[str, int], dict[str, int]]


@dataclass(slots=True)
class Watch:
    ctx: Context
    world: World
    jobs: JobList
    clock: ManualClock

    def weeks(self, mix: Mix, *, weeks: int = 6) -> None:
        """Phones of two chipsets report once a day; `mix(chipset, week)` is what the model answers, a phone and day."""
        collector = Collector(self.ctx.databases, self.ctx.settings)
        self.clock.now = T0 - timedelta(weeks=weeks)
        for day in range(7 * weeks):
            self.clock.advance(days=1)
            at = (self.clock() - timedelta(hours=12)).isoformat()
            inferences = [
                {
                    "uuid": f"{chipset}-{number}-{day}", "install": f"{chipset}-{number}", "window_start": at,
                    "count": 100, "os.name": "Android", "soc": chipset, "outputs": mix(chipset, day // 7),
                    "model": {"name": "kws", "version": "1.3.2"},
                }
                for chipset in ("A16", "G35")
                for number in range(INSTALLS)
            ]  # fmt: skip
            body = {"sent_at": self.clock().isoformat(), "context": {}, "inferences": inferences}
            reply = collector.accept_batch(json.dumps(body).encode(), app="demo", now=self.clock())
            assert reply.rejected == 0, reply.results[0]

    def night(self) -> None:
        flow.watch_drift(self.ctx, "kws")
        self.jobs.run(self.ctx, {"announce_drift": flow.announce_drift})

    def standing(self) -> tuple[FoundDrift, ...]:
        with reading(self.ctx.databases.control) as session:
            return drifts.standing(session, app="demo", model="kws")

    def told(self) -> list[str]:
        return [each.text for each in self.world.slack.workspace.messages() if each.channel == RELEASES]

    def ask(self, line: str, person: str = PAM) -> Message:
        message = handle(self.ctx, Person(person, person), line, channel=RELEASES)
        accepted(message)
        for level in range(4):
            accepted(blocks.degrade(message, level))
        return message


@pytest.fixture
def watch(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Watch:
    with ctx.databases.control.begin() as session:
        register_both(session)
        bot_store.grant(session, person=DANA, role="operator", model="*", by="U0TOM", now=ctx.clock())
    return Watch(ctx, world, jobs, clock)


def calm(_chipset: str, _week: int) -> dict[str, int]:
    return {"go": 60, "stop": 30, "up": 10}


def g35_moves(chipset: str, week: int) -> dict[str, int]:
    return {"go": 35, "stop": 55, "up": 10} if chipset == "G35" and week == 5 else calm(chipset, week)


def test_a_cohort_that_answers_otherwise_is_told_once_with_what_moved(watch: Watch) -> None:
    watch.weeks(g35_moves)
    watch.night()
    watch.clock.advance(hours=1)
    watch.night()

    assert ("outputs", "chipset=G35") in [(each.measure, each.cohort) for each in watch.standing()]
    about = [text for text in watch.told() if "chipset=G35" in text]
    assert [text.replace("\xa0", " ") for text in about] == [
        "kws: what it answers moved for chipset=G35; “stop” went from 30 % to 55 %."
    ]


def test_weeks_alike_are_no_drift(watch: Watch) -> None:
    watch.weeks(calm)
    watch.night()

    assert watch.standing() == ()
    assert watch.told() == []
    assert "nothing drifted" in watch.ask("drift kws").text


def test_no_more_is_told_than_the_week_allows_but_all_is_listed(watch: Watch) -> None:
    watch.ctx = replace(watch.ctx, settings=replace(watch.ctx.settings, drift_alarms_a_week=1))
    watch.weeks(lambda chipset, week: {"go": 20, "stop": 80} if week == 5 else calm(chipset, week))
    watch.night()
    watch.clock.advance(days=1)
    watch.night()

    assert len(watch.standing()) > 1
    assert len(watch.told()) == 1


def test_what_came_back_to_what_it_was_is_gone(watch: Watch) -> None:
    watch.weeks(g35_moves)
    watch.night()
    with watch.ctx.databases.control.begin() as session:
        drifts.settle(session, app="demo", model="kws", still=[], now=watch.clock())

    assert watch.standing() == ()


def test_the_report_shows_what_moved_how_old_the_model_is_and_that_it_is_stale(watch: Watch) -> None:
    watch.weeks(g35_moves)
    watch.night()
    watch.ask("drift goal kws age=30d data=60d", DANA)
    watch.ask("drift trained kws@1.3.2 2026-06-01", DANA)
    watch.clock.now = T0 + timedelta(days=45)

    message = watch.ask("drift kws")

    assert "It is stale: released 45 days ago, the goal is 30" in words(message)
    assert "outputs drifted since its release" in words(message)
    chart = next(block for block in message.blocks if block["type"] == "data_visualization")
    assert "stop" in chart["chart"]["axis_config"]["categories"]
    assert "its newest training data are" in words(message)


def test_the_status_of_a_model_tells_how_stale_it_and_its_data_are(watch: Watch) -> None:
    watch.ask("drift goal kws age=30d data=60d", DANA)
    watch.ask("drift trained kws@1.3.2 2026-06-01", DANA)
    watch.clock.now = T0 + timedelta(days=45)

    told = watch.ask("status kws")

    assert "The model is stale: released 45 days ago, the goal is 30" in told.text
    assert "its newest training data are" in words(told)
    assert "training data" not in words(watch.ask("status"))


def test_goals_and_data_are_for_operators_and_a_dry_run_changes_nothing(watch: Watch) -> None:
    assert "You may not set the goal of kws" in watch.ask("drift goal kws age=30d").text
    assert "You may not note what kws was trained on" in watch.ask("drift trained kws@1.3.2 2026-06-01").text
    assert "Dry run" in watch.ask("drift goal kws age=30d --dry-run", DANA).text

    with reading(watch.ctx.databases.control) as session:
        assert drifts.goal_of(session, app="demo", model="kws") == drifts.Goal()


def test_a_goal_that_is_not_given_stays(watch: Watch) -> None:
    watch.ask("drift goal kws age=30d", DANA)
    said = watch.ask("drift goal kws data=60d", DANA).text

    assert "at most 30 days old, its training data at most 60 days" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("drift", "something is missing"),
        ("drift kwz", "did you mean 'kws'"),
        ("drift goal kws", "give age=, data= or both"),
        ("drift goal kws age=soon data=later", "data"),
        ("drift trained kws 2026-06-01", "name a version"),
        ("drift trained kws@9.9 2026-06-01", "name a version"),
        ("drift trained kws@1.3.2 yesterday", "the day of the newest data"),
        ("drift trained kws@1.3.2 2100-01-01", "is in the future"),
    ],
)
def test_a_mistake_says_how_it_is_said(watch: Watch, line: str, said: str) -> None:
    assert said in words(watch.ask(line, DANA))
