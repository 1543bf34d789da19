"""`release throttle …`: how often and where a cohort runs a model, told with the next offer."""

from __future__ import annotations

import pytest

from bot.context import Context
from core.db import reading
from core.device import DeviceContext
from releases.catalog import read_slots
from releases.offers import Offer, offer
from sandbox.world import World
from tests.bot.releases_made import Floor, words
from tests.bot.workspace import DANA, MIA, PAM
from tests.builders import ManualClock
from tests.conftest import JobList

LOW = DeviceContext(platform="android", tier="low")
HIGH = DeviceContext(platform="android", tier="high")


@pytest.fixture
def floor(ctx: Context, world: World, jobs: JobList, clock: ManualClock) -> Floor:
    return Floor(ctx=ctx, world=world, jobs=jobs, clock=clock)


def offered(floor: Floor, device: DeviceContext) -> Offer:
    with reading(floor.ctx.databases.control) as session:
        (slot,) = read_slots(session)["demo"]
    return offer("phone", device, slot)


def test_a_cohort_is_throttled_and_hears_of_it_with_its_next_offer(floor: Floor) -> None:
    said = words(floor.type(DANA, 'release throttle kws per_minute=30 where=tier=low reason="phones get warm"'))

    assert "*T1* kws runs at most 30 a minute, for tier=low" in said
    assert offered(floor, LOW).throttle.per_minute == 30
    assert offered(floor, HIGH).throttle.per_minute is None
    assert "phones get warm" in words(floor.type(PAM, "release throttle kws"))


def test_a_cohort_is_sent_to_the_cloud_and_back(floor: Floor) -> None:
    floor.type(MIA, "release throttle kws runs=cloud where=tier=low")
    assert offered(floor, LOW).artifact is None

    assert "is lifted" in words(floor.type(MIA, "release unthrottle t1"))
    assert offered(floor, LOW).artifact is not None
    assert "There is no throttle T1" in words(floor.type(MIA, "release unthrottle T1"))
    assert "No throttle on kws" in words(floor.type(PAM, "release throttle kws"))


def test_the_same_devices_have_one_throttle_at_a_time(floor: Floor) -> None:
    floor.type(DANA, "release throttle kws per_minute=30 where=tier=low")
    floor.type(DANA, "release throttle kws per_minute=10 where=tier=low")

    assert "T1" not in words(floor.type(PAM, "release throttle kws"))
    assert offered(floor, LOW).throttle.per_minute == 10


def test_every_mistake_is_told_at_once(floor: Floor) -> None:
    said = words(floor.type(DANA, "release throttle kws per_minute=often runs=moon where=teir=low rate=3"))

    for mistake in ("per_minute", "runs", "tier", "rate="):
        assert mistake in said
    assert "There is no model kwz" in words(floor.type(DANA, "release throttle kwz per_minute=3"))
    assert "must say per_minute=" in words(floor.type(DANA, "release throttle kws where=tier=low"))


def test_a_dry_run_and_somebody_without_a_role_change_nothing(floor: Floor) -> None:
    assert "Dry run" in words(floor.type(DANA, "release throttle kws per_minute=3 --dry-run"))
    assert "You may not throttle kws" in words(floor.type(PAM, "release throttle kws per_minute=3"))
    assert offered(floor, LOW).throttle.per_minute is None


def test_a_throttle_that_reaches_nobody_is_refused(floor: Floor) -> None:
    floor.started()
    floor.clock.advance(minutes=20)
    floor.phones_report(crashing=0)

    said = words(floor.type(DANA, "release throttle kws per_minute=3 where=chipset=None1"))

    assert "matches none of last week's 400 installs" in said
