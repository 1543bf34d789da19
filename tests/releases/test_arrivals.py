"""Whether the arms have the sizes they should, from the hours in which their installs were first heard of."""

from __future__ import annotations

from datetime import timedelta

from core.arms import ArmName
from core.device import DeviceContext
from releases.arrivals import Arrived, Period, unequal
from tests.builders import at

PHONE = DeviceContext(platform="android")
WIDENED = at(11) + timedelta(seconds=1)
PERIODS = (Period(percent=30, since=at(0), until=WIDENED), Period(percent=100, since=WIDENED))


def came(hour: int, arm: ArmName, installs: int) -> Arrived:
    return Arrived(hour=at(hour), arm=arm, device=PHONE, installs=installs, lost=0)


def test_arms_of_very_different_sizes_are_told() -> None:
    said = unequal([came(2, "baseline", 100), came(2, "candidate", 200)], PERIODS)

    assert said is not None
    assert "200 installs on the candidate and 100 on the baseline" in said


def test_phones_that_the_next_share_gave_the_candidate_do_not_count_for_the_one_before() -> None:
    """They tell it of their whole hour, which began before it was given to them."""
    equal = [came(2, "baseline", 200), came(2, "candidate", 200)]

    assert unequal([*equal, came(10, "candidate", 150), came(11, "candidate", 300)], PERIODS) is None


def test_shares_above_a_half_are_not_looked_at() -> None:
    assert unequal([came(12, "candidate", 500)], PERIODS) is None
