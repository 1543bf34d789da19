"""Cohorts are judged anew when more was reported, at once when something is wrong, and every quarter of an hour."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from bot.context import Context
from feedback import store as feedback
from releases.rollout import Halt, RollBack
from sandbox.world import World
from tests.bot.releases_made import Floor
from tests.builders import ManualClock
from tests.conftest import JobList


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    floor = Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)
    floor.tick()
    return floor


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The releases whose diaries were counted by device."""
    found: list[str] = []
    arm_leaves = feedback.arm_leaves

    def note(session: Session, diaries: feedback.Diaries, *, app: str, release: str, **asked: Any) -> Any:
        found.append(release)
        return arm_leaves(session, diaries, app=app, release=release, **asked)

    monkeypatch.setattr(feedback, "arm_leaves", note)
    return found


def test_a_minute_without_news_counts_nothing_by_device(floor: Floor, counted: list[str]) -> None:
    floor.clock.advance(minutes=1)
    floor.tick()

    assert counted == []


def test_more_reports_are_counted_at_once(floor: Floor, counted: list[str]) -> None:
    floor.clock.advance(minutes=1)
    floor.phones_report(crashing=0, on="Tensor G2", installs=20)
    floor.tick()

    assert len(counted) == 1


def test_after_a_quarter_of_an_hour_it_is_counted_anew(floor: Floor, counted: list[str]) -> None:
    floor.clock.advance(minutes=15)
    floor.tick()

    assert len(counted) == 1


def test_a_few_bad_reports_are_looked_into_although_they_are_few(floor: Floor, counted: list[str]) -> None:
    floor.clock.advance(minutes=1)
    floor.phones_report(crashing=1, on="Helio G35", installs=3)
    floor.tick()

    assert len(counted) >= 1


def test_a_bad_cohort_is_stopped_in_the_minute_in_which_it_is_reported(floor: Floor) -> None:
    floor.clock.advance(minutes=1)
    floor.tick()
    floor.phones_report(crashing=0.3, on="Helio G35", installs=200)

    assert isinstance(floor.tick(), RollBack | Halt)
