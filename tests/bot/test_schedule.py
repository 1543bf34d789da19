"""What happens by the clock."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bot import schedule
from bot.context import Context
from bot.flows import digest, housekeeping
from core import engine
from core.keys import create_key
from feedback import store
from feedback.ingest import Collector
from feedback.tables import ANSWERS
from releases.rollout import State
from sandbox.world import World
from tests.bot.releases_made import START, Floor
from tests.bot.workspace import DANA, MIA
from tests.builders import T0, ManualClock
from tests.conftest import JobList
from tests.feedback.sending import a_batch, a_running_poll, an_answer


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    with ctx.databases.control.begin() as session:
        create_key(session, app="demo", scope="public", name="phones", now=T0)
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def weeks_asked(floor: Floor) -> list[str]:
    return [job.ids["week"] for job in floor.jobs.waiting if job.job == "post_digest"]


def test_a_tick_looks_at_every_live_release(floor: Floor) -> None:
    floor.type(DANA, START)
    floor.type(MIA, "release approve R1")

    schedule.tick(floor.ctx)

    assert floor.rollout().state is State.PROGRESSING


def test_a_digest_is_asked_for_when_its_week_is_over_and_due_and_only_once(floor: Floor) -> None:
    floor.clock.now = T0 + timedelta(days=7) - timedelta(minutes=1)
    schedule.tick(floor.ctx)
    assert weeks_asked(floor) == []

    for _ in range(3):
        floor.clock.advance(minutes=1)
        schedule.tick(floor.ctx)

    assert weeks_asked(floor) == ["2026-W47"]


def test_weeks_that_were_missed_are_not_replayed(floor: Floor) -> None:
    floor.clock.now = T0 + timedelta(days=30)

    schedule.tick(floor.ctx)

    assert weeks_asked(floor) == ["2026-W50"]


def test_a_house_that_did_not_stand_yet_has_no_digest_of_the_week_before(floor: Floor) -> None:
    floor.clock.now = T0 + timedelta(hours=1)

    schedule.tick(floor.ctx)

    assert weeks_asked(floor) == []


def test_a_week_that_was_posted_by_hand_is_not_asked_for(floor: Floor) -> None:
    floor.clock.now = T0 + timedelta(days=7)
    digest.post_digest(floor.ctx, "2026-W47")

    schedule.tick(floor.ctx)

    assert weeks_asked(floor) == []


def test_one_release_that_cannot_be_looked_at_does_not_keep_the_digest_from_being_asked_for(
    floor: Floor, ctx: Context
) -> None:
    floor.started()
    floor.clock.now = T0 + timedelta(days=7)
    ctx.databases.ingest_engine.dispose()
    with ctx.databases.ingest.begin() as session:
        session.connection().exec_driver_sql("ALTER TABLE cells RENAME TO lost")

    with pytest.raises(ExceptionGroup):
        schedule.tick(floor.ctx)

    assert weeks_asked(floor) == ["2026-W47"]


def test_housekeeping_is_asked_for_once_a_day(floor: Floor) -> None:
    for _ in range(4):
        schedule.tick(floor.ctx)
        floor.clock.advance(hours=8)

    assert floor.jobs.names().count("housekeeping") == 2


def test_housekeeping_keeps_the_answers_of_every_app_as_long_as_their_poll_says(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "forget_finished", lambda _session, _now: 0)
    with floor.ctx.databases.control.begin() as session:
        a_running_poll(session, id="short", app="another", retention_days=2)
    collector = Collector(floor.ctx.databases, floor.ctx.settings)
    batch = a_batch(an_answer("a", poll="short", at=floor.clock()), sent_at=None)
    assert collector.accept_batch(json.dumps(batch).encode(), app="another", now=floor.clock()).accepted == 1
    store.catch_up(floor.ctx.databases.ingest)
    count = sa.select(sa.func.count()).select_from(ANSWERS)

    left = []
    for days in (1, 2):
        floor.clock.advance(days=days)
        housekeeping.run(floor.ctx)
        with floor.ctx.databases.ingest() as session:
            left.append(session.scalar(count))

    assert left == [1, 0]


def test_housekeeping_forgets_what_is_past_its_retention(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[datetime] = []

    def forget_finished(_session: object, now: datetime) -> int:
        forgotten.append(now)
        return 0

    monkeypatch.setattr(engine, "forget_finished", forget_finished)
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)
    floor.clock.advance(days=floor.ctx.settings.retention_days + 1)

    housekeeping.run(floor.ctx)
    housekeeping.run(floor.ctx)

    with floor.ctx.databases.ingest.begin() as session:
        count = session.connection().exec_driver_sql("SELECT count(*) FROM inferences").scalar()
    assert count == 0
    assert forgotten == [floor.clock(), floor.clock()]
