"""Freezes cover what people mean, in their own time zone, also where the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from releases.freeze import covering, ends_at, parse, text

WEEKEND = parse("Fri 16:00 – Mon 08:00 Europe/Berlin")


def utc(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-11-20T14:59", None, id="one minute to four on Friday"),
        pytest.param("2026-11-20T15:00", "2026-11-23T07:00", id="four on Friday"),
        pytest.param("2026-11-22T12:00", "2026-11-23T07:00", id="Sunday noon"),
        pytest.param("2026-11-23T06:59", "2026-11-23T07:00", id="one minute to eight on Monday"),
        pytest.param("2026-11-23T07:00", None, id="eight on Monday"),
        pytest.param("2026-07-05T12:00", "2026-07-06T06:00", id="in summer eight comes an hour earlier in UTC"),
        pytest.param("2026-03-28T12:00", "2026-03-30T06:00", id="over the night in which clocks go forward"),
        pytest.param("2026-10-24T12:00", "2026-10-26T07:00", id="over the night in which clocks go back"),
    ],
)
def test_a_weekend(now: str, until: str | None) -> None:
    assert ends_at(WEEKEND, utc(now)) == (utc(until) if until else None)


def test_an_hour_that_comes_twice_is_frozen_both_times() -> None:
    night = parse("Sun 02:15 - Sun 02:45 Europe/Berlin")

    assert ends_at(night, utc("2026-10-25T00:15")) == utc("2026-10-25T01:45")
    assert ends_at(night, utc("2026-10-25T01:44")) == utc("2026-10-25T01:45")


def test_an_hour_that_does_not_come_is_frozen_on_both_sides() -> None:
    night = parse("Sun 02:15 - Sun 02:45 Europe/Berlin")

    assert ends_at(night, utc("2026-03-29T00:15")) == utc("2026-03-29T01:45")


def test_a_holiday_is_between_two_moments() -> None:
    holiday = parse("2026-12-23 18:00 until 2027-01-04 08:00 America/New_York")

    assert ends_at(holiday, utc("2026-12-23T22:59")) is None
    assert ends_at(holiday, utc("2026-12-31T00:00")) == utc("2027-01-04T13:00")
    assert text(holiday) == "2026-12-23 18:00 – 2027-01-04 08:00 America/New_York"


def test_freezes_that_follow_one_another_are_one() -> None:
    monday = parse("Mon 08:00 – Mon 12:00 Europe/Berlin")

    found = covering((WEEKEND, monday), utc("2026-11-21T12:00"))

    assert found is not None
    assert (found.freeze, found.until) == (WEEKEND, utc("2026-11-23T11:00"))
    assert found.sentence == "frozen until Mon 23 Nov 11:00 UTC (Fri 16:00 – Mon 08:00 Europe/Berlin)"
    assert covering((), utc("2026-11-21T12:00")) is None


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("Fri 16:00 – Mon 08:00 Europe/Belrin", "did you mean Europe/Berlin"),
        ("Fri 16:00 – Mon 08:00", "is no time zone"),
        ("Fri 25:00 – Mon 08:00 UTC", "'Fri 25:00' is no time"),
        ("Someday 10:00 – Mon 08:00 UTC", "'Someday 10:00' is no time"),
        ("Fri 16:00 UTC", "must have a beginning and an end"),
        ("Fri 16:00 – Fri 16:00 UTC", "must end after it begins"),
        ("2026-12-24 – 2026-12-23 UTC", "must end after it begins"),
        ("Fri 16:00 – 2026-12-23 UTC", "both on dates"),
        ("2026-02-30 – 2026-03-01 UTC", "'2026-02-30' is no time"),
        ("", "must have a beginning"),
    ],
)
def test_a_rule_that_cannot_be_read_says_why(rule: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(rule)

    assert words in " ".join(str(problem) for problem in caught.value.problems)


EDGES = st.tuples(st.sampled_from(["Mon", "Tue", "Fri", "Sat", "Sun"]), st.integers(0, 23), st.integers(0, 59))
ZONES = st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])


@given(EDGES, EDGES, ZONES, st.integers(1_577_836_800, 1_893_456_000))
def test_a_rule_means_the_same_once_written_down_and_its_end_is_no_more_frozen(
    begins: tuple[str, int, int], ends: tuple[str, int, int], zone: str, seconds: int
) -> None:
    if begins == ends:
        return
    rule = " – ".join(f"{day} {hour:02}:{minute:02}" for day, hour, minute in (begins, ends)) + f" {zone}"
    freeze, now = parse(rule), datetime.fromtimestamp(seconds, UTC)

    until = ends_at(freeze, now)

    assert parse(text(freeze)) == freeze
    assert text(freeze) == rule
    if until is not None:
        assert now < until <= now + timedelta(days=7, hours=2)
        local = until.astimezone(ZoneInfo(zone))
        assert abs((local.hour * 60 + local.minute) - (ends[1] * 60 + ends[2])) in (0, 30, 60, 1380, 1410)
