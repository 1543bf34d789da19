"""Weeks and the digest's schedule: "mon 09:00 Europe/Berlin", due when, about which week. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Once a week at `at` o'clock in `zone`; `weekday` 0 is Monday."""

    weekday: int
    at: time
    zone: ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """An ISO week in a time zone: `name` is "2026-W47", `starts` and `ends` are UTC, `ends` is not in it."""

    name: str
    starts: datetime
    ends: datetime


def parse_schedule(text: str) -> Schedule:
    """Read what core.settings has checked already."""
    day, clock, zone = text.split()
    return Schedule(weekday=WEEKDAYS.index(day), at=time.fromisoformat(clock), zone=ZoneInfo(zone))


def last_due(schedule: Schedule, now: datetime) -> datetime:
    """Return the latest moment at or before `now` at which a digest was due.

    The wall clock decides: 09:00 stays 09:00 when summer time begins. A time that the clock skips is due when it
    resumes; one that it shows twice is due the first time.
    """
    today = now.astimezone(schedule.zone).date()
    day = today - timedelta(days=(today.weekday() - schedule.weekday) % 7)
    due = _moment(day, schedule)
    return due if due <= now else _moment(day - timedelta(days=7), schedule)


def next_due(schedule: Schedule, now: datetime) -> datetime:
    """Return the first moment after `now` at which a digest is due."""
    last = last_due(schedule, now).astimezone(schedule.zone).date()
    return _moment(last + timedelta(days=7), schedule)


def week_before(moment: datetime, zone: ZoneInfo) -> Week:
    """Return the last ISO week that was over at `moment`."""
    return week_of(week_of(moment, zone).starts - timedelta(hours=1), zone)


def week_of(moment: datetime, zone: ZoneInfo) -> Week:
    """Return the ISO week that `moment` lies in."""
    day = moment.astimezone(zone).date()
    monday = day - timedelta(days=day.weekday())
    return _week(monday, zone)


def find_week(name: str, zone: ZoneInfo) -> Week | None:
    """Return the week named "2026-W47", or None if there is no such week."""
    try:
        return _week(date.fromisoformat(name + "-1"), zone) if "-W" in name else None
    except ValueError:
        return None


def _week(monday: date, zone: ZoneInfo) -> Week:
    year, week, _ = monday.isocalendar()
    return Week(
        name=f"{year}-W{week:02d}",
        starts=datetime.combine(monday, time(), zone).astimezone(UTC),
        ends=datetime.combine(monday + timedelta(days=7), time(), zone).astimezone(UTC),
    )


def _moment(day: date, schedule: Schedule) -> datetime:
    return datetime.combine(day, schedule.at, schedule.zone).astimezone(UTC)
