from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.weeks import find_week, last_due, next_due, parse_schedule, week_before, week_of

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        pytest.param("2026-11-23T07:59", "2026-11-16T08:00", id="a minute early it is still last week's"),
        pytest.param("2026-11-23T08:00", "2026-11-23T08:00", id="due on the minute"),
        pytest.param("2026-11-29T23:00", "2026-11-23T08:00", id="the whole week after"),
        pytest.param("2026-07-06T07:30", "2026-07-06T07:00", id="nine o'clock in summer is seven in UTC"),
    ],
)
def test_a_digest_is_due_by_the_wall_clock_of_its_zone(now: str, due: str) -> None:
    assert last_due(parse_schedule("mon 09:00 Europe/Berlin"), utc(now)) == utc(due)


def test_the_next_one_is_a_week_by_the_wall_clock_after_the_last() -> None:
    schedule = parse_schedule("sun 09:00 Europe/Berlin")

    assert next_due(schedule, utc("2026-10-20T00:00")) == utc("2026-10-25T08:00")
    assert next_due(schedule, utc("2026-10-18T07:00")) == utc("2026-10-25T08:00")


def test_a_time_that_the_clock_skips_is_due_once() -> None:
    schedule = parse_schedule("sun 02:30 Europe/Berlin")

    due = last_due(schedule, utc("2026-03-29T12:00"))

    assert due == utc("2026-03-29T01:30")


def test_the_digest_of_a_monday_is_about_the_week_that_ended() -> None:
    week = week_before(utc("2026-11-23T09:00"), ZoneInfo("UTC"))

    assert (week.name, week.starts, week.ends) == ("2026-W47", utc("2026-11-16T00:00"), utc("2026-11-23T00:00"))


def test_a_week_has_167_hours_when_summer_time_begins() -> None:
    week = week_of(utc("2026-03-28T12:00"), BERLIN)

    assert (week.ends - week.starts).total_seconds() / 3600 == 167


def test_the_first_of_january_may_belong_to_the_year_before() -> None:
    assert week_of(utc("2027-01-01T12:00"), BERLIN).name == "2026-W53"


def test_a_week_is_found_by_its_name() -> None:
    found = find_week("2026-W47", ZoneInfo("UTC"))

    assert found == week_of(utc("2026-11-18T00:00"), ZoneInfo("UTC"))


@pytest.mark.parametrize("name", ["2026-W54", "2026-47", "last", "2026-11-18", "2026-W47-1"])
def test_what_is_no_week_is_not_found(name: str) -> None:
    assert find_week(name, ZoneInfo("UTC")) is None
