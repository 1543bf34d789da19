"""Throttles: sent with the offer, the strictest of those that fit, heard of as soon as they are set."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from core.db import Databases
from core.device import DeviceContext
from core.errors import InvalidInputError, NotFoundError
from core.segments import EVERYONE, parse
from releases.catalog import read_slots
from releases.offers import Slot, offer
from releases.ofrep import success
from releases.throttle_store import lift_throttle, set_throttle, throttles_of
from releases.throttles import UNLIMITED, Throttle, for_device, read
from tests.builders import T0
from tests.releases.builders import an_artifact, register_both

WEAK = DeviceContext(platform="android", ram_gb=2.0, tier="low")
STRONG = DeviceContext(platform="android", ram_gb=12.0, tier="high")
SLOW = Throttle(segment=parse("ram_gb<4"), per_minute=6, name="T1")
CLOUD = Throttle(segment=parse("tier=low"), runs="cloud", name="T2")


def test_the_strictest_rate_and_place_of_all_that_fit_hold() -> None:
    everyone = Throttle(per_minute=30, runs="device", name="T3")

    found = for_device((SLOW, CLOUD, everyone), WEAK)

    assert (found.per_minute, found.runs, found.name) == (6, "cloud", "T1, T2, T3")
    assert for_device((SLOW, CLOUD), STRONG) == UNLIMITED


def test_a_capped_device_is_told_so_in_value_and_metadata() -> None:
    told = success(
        offer("device-1", WEAK, Slot(model="kws", baselines=(an_artifact(),), throttles=(SLOW,))), "http://x"
    )

    assert told["value"]["max_per_minute"] == told["metadata"]["max_per_minute"] == 6
    assert told["value"]["version"] == "1.4.0"


@pytest.mark.parametrize(("runs", "variant"), [("cloud", "cloud"), ("bundled", "built-in")])
def test_a_device_that_is_sent_elsewhere_gets_no_file(runs: str, variant: str) -> None:
    throttle = read(EVERYONE, per_minute=None, runs=runs, reason=None)

    told = success(offer("device-1", WEAK, Slot(model="kws", baselines=(an_artifact(),), throttles=(throttle,))), "x")

    assert (told["variant"], told["value"], told["reason"]) == (variant, {"runs": runs}, "TARGETING_MATCH")
    assert told["metadata"]["arm"] == "none"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "must say per_minute=, runs=cloud or runs=bundled"),
        ({"per_minute": "many"}, "must be a whole number from 0"),
        ({"per_minute": "-1"}, "must be a whole number from 0"),
        ({"per_minute": "9999999"}, "must be a whole number from 0"),
        ({"runs": "moon"}, "must be device, cloud or bundled"),
    ],
)
def test_a_throttle_that_means_nothing_is_refused(typed: Mapping[str, str], words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read(EVERYONE, per_minute=typed.get("per_minute"), runs=typed.get("runs"), reason=None)

    assert words in str(caught.value.problems[0])


def test_a_throttle_is_kept_replaced_and_lifted(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        set_throttle(session, SLOW, app="demo", model="kws", by="U0MIA", now=T0)
        second = set_throttle(session, SLOW, app="demo", model="kws", by="U0MIA", now=T0)

        assert throttles_of(session, app="demo", model="kws") == (second,)
        assert (second.name, throttles_of(session, app="demo", model="ocr")) == ("T2", ())
        assert read_slots(session)["demo"][0].throttles == (second,)

        lift_throttle(session, "t2", app="demo", by="U0TOM", now=T0)
        assert read_slots(session)["demo"][0].throttles == ()
        with pytest.raises(NotFoundError, match="no throttle T2"):
            lift_throttle(session, "T2", app="demo", by="U0TOM", now=T0)
