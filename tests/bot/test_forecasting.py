"""A dry run looks ahead: last week's installs decide what a plan would reach, cost and be able to see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.context import Context
from bot.forecasting import foresee, usual
from core.db import reading
from feedback.store import Habits
from releases.forecast import Forecast
from releases.freeze_store import add_freeze
from sandbox.world import World
from tests.bot.releases_made import START, Floor, words
from tests.bot.workspace import DANA
from tests.builders import ManualClock
from tests.conftest import JobList
from tests.releases.builders import an_artifact


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    """A week in which 1.3.2 was in use by 400 installs, and nothing is released."""
    floor = Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)
    floor.used_and_over()
    floor.register(an_artifact("1.5.0", size_bytes=2_000_000))
    return floor


def block_of(message: Any, kind: str) -> list[dict[str, Any]]:
    return [block for block in message.blocks if block["type"] == kind]


def ahead_of(floor: Floor, line: str) -> Forecast:
    floor.type(DANA, line)
    with reading(floor.ctx.databases.control) as session:
        return foresee(floor.ctx.databases, session, floor.release("R2"), floor.clock(), minimum=20)


def test_a_dry_run_shows_installs_bytes_and_what_could_be_seen(floor: Floor) -> None:
    answer = floor.type(DANA, "release start kws@1.5.0 to=5,25,100 bake=24h --dry-run")

    said = words(answer)
    assert "It would take 3 d at least and reach *400* of 400 installs it is for, who download 800 MB." in said
    (chart,) = block_of(answer, "data_visualization")
    counts = [point["value"] for point in chart["chart"]["series"][0]["data"]]
    assert counts == [20, 100, 400]
    stages, cohorts = block_of(answer, "data_table")
    assert [cell["text"] for cell in stages["rows"][0]][-2:] == ["Crash rate", "p95 latency"]
    assert "Snapdragon 680" in json.dumps(cohorts)
    assert "No release" not in words(floor.type(DANA, "release list"))


def test_a_guardrail_on_a_limit_of_latency_has_its_column(floor: Floor) -> None:
    answer = floor.type(DANA, 'release start kws@1.5.0 to=5,100 bake=24h guard="over_100ms<+1pt" --dry-run')

    (stages, _) = block_of(answer, "data_table")
    assert stages["rows"][0][-1]["text"] == "p95 over 100 ms"


def test_few_installs_show_no_small_regression(floor: Floor) -> None:
    ahead = ahead_of(floor, 'release start kws@1.5.0 to=1,100 bake=24h guard="crash_rate<+0.2pt"')

    (crashes,) = ahead.stages[0].visible
    assert ahead.stages[0].candidate_installs == 4
    assert crashes.smallest is None or crashes.smallest > 0.2


def test_a_freeze_in_between_makes_it_longer(floor: Floor) -> None:
    with floor.ctx.databases.control.begin() as session:
        add_freeze(session, "Wed 00:00 – Thu 12:00 UTC", app="demo", by=DANA, now=floor.clock())

    assert ahead_of(floor, "release start kws@1.5.0 to=5,25,100 bake=24h").days > 4


def test_a_segment_that_matches_nobody_is_refused(floor: Floor) -> None:
    said = words(floor.type(DANA, 'release start kws@1.5.0 where="platform=ios"'))

    assert "platform=ios matches none of last week's 400 installs; widen it" in said.replace("\u202f", " ")


def test_before_anything_was_heard_a_dry_run_says_so(ctx: Context, world: World, jobs: JobList) -> None:
    floor = Floor(ctx=ctx, world=world, jobs=jobs, clock=ManualClock())

    assert "whom it reaches is not known" in (said := words(floor.type(DANA, f"{START} --dry-run")))
    assert "not known" in said.split("Stages, and")[1]


def test_what_never_happened_counts_half_a_harm() -> None:
    habits = Habits(installs=10, days=2.0, windows=99, harmed={"crash_rate": 0}, p95={}, ratings={5: 3, 1: 1})

    found = usual(habits)

    assert found["crash_rate"].value == 0.005
    assert found["crash_rate"].per_day == 99 / 20
    assert found["csat"].value == 3.5 / 5
    assert "latency_p95" not in found
