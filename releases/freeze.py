"""Freeze: times in which nothing widens: every week ("Fri 16:00 – Mon 08:00 Europe/Berlin") or between two moments.

Halt, roll back and kill are always exempt. Times are wall-clock times of an IANA zone. Where the clocks change, a
freeze errs on the long side: it begins at the earlier and ends at the later meaning of its hour. Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from core.errors import InvalidInputError, Problem
from releases.wording import DAYS, moment

EXAMPLE: Final = '"Fri 16:00 – Mon 08:00 Europe/Berlin" or "2026-12-23 18:00 – 2027-01-04 08:00 Europe/Berlin"'
LONGEST_CHAIN: Final = 50
_DASH: Final = re.compile(r"\s*[–—−]\s*|\s+-+\s+|\s+(?:to|until)\s+")
_WEEKLY: Final = re.compile(r"([A-Za-z]{3,9})\s+(\d{1,2}):(\d{2})")
_DATED: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T\s]+(\d{1,2}):(\d{2}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One end of a freeze: a time of a day of the week (Monday is 0), or of a date."""

    day: int | date
    at: time

    def __str__(self) -> str:
        return f"{DAYS[self.day] if isinstance(self.day, int) else self.day.isoformat()} {self.at:%H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """`name` is F1; None for one that is not stored yet."""

    begins: Edge
    ends: Edge
    zone: str
    name: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A freeze that covers a moment (`at`), and when it is over (with those that follow without a gap)."""

    freeze: Freeze
    at: datetime
    until: datetime

    @property
    def sentence(self) -> str:
        name = f"{self.freeze.name}, " if self.freeze.name else ""
        reason = f", {self.freeze.reason}" if self.freeze.reason else ""
        return f"frozen until {moment(self.until, self.at)} ({name}{text(self.freeze)}{reason})"


def parse(rule: str) -> Freeze:
    """Read a freeze as people type it.

    Raises: InvalidInputError: with every mistake.
    """
    problems: list[Problem] = []
    told, _, zone = rule.strip().rpartition(" ")
    if zone not in available_timezones():
        told = told if "/" in zone or zone.isalpha() else rule
        close = difflib.get_close_matches(zone, available_timezones(), n=1)
        hint = f"did you mean {close[0]}?" if close else "write an IANA zone such as Europe/Berlin"
        problems.append(Problem("zone", f"{zone!r} is no time zone; {hint}"))
    ends = _DASH.split(told.strip()) if told.strip() else []
    edges = [_edge(word, problems) for word in ends]
    if len(ends) != 2:
        problems.append(Problem("freeze", f"must have a beginning and an end, such as {EXAMPLE}"))
    if problems:
        raise InvalidInputError(*problems)
    begins, end = edges
    assert begins is not None
    assert end is not None
    if isinstance(begins.day, int) != isinstance(end.day, int):
        raise InvalidInputError(Problem("freeze", "must begin and end on days of the week, or both on dates"))
    found = Freeze(begins=begins, ends=end, zone=zone)
    if begins == end or (not isinstance(begins.day, int) and _order(begins) >= _order(end)):
        raise InvalidInputError(Problem("freeze", "must end after it begins"))
    return found


def text(freeze: Freeze) -> str:
    """Return the rule in the words `parse` reads."""
    return f"{freeze.begins} – {freeze.ends} {freeze.zone}"


def is_over(freeze: Freeze, now: datetime) -> bool:
    """Return whether it covers no moment any more; one of every week always will."""
    return isinstance(freeze.begins.day, date) and all(ends <= now for _, ends in _spans(freeze, now))


def ends_at(freeze: Freeze, now: datetime) -> datetime | None:
    """Return when the freeze that covers `now` is over, None when none does. Its beginning is in it, its end is not."""
    for begins, ends in _spans(freeze, now):
        if begins <= now < ends:
            return ends
    return None


def covering(freezes: Iterable[Freeze], now: datetime) -> Frozen | None:
    """Return the freeze that covers `now` for longest, until nothing is frozen any more."""
    known = tuple(freezes)
    found: Frozen | None = None
    until = now
    for _ in range(LONGEST_CHAIN):
        spans = [(ends, freeze) for freeze in known if (ends := ends_at(freeze, until)) is not None]
        if not spans:
            break
        until, freeze = max(spans, key=lambda span: span[0])
        found = Frozen(freeze=found.freeze if found else freeze, at=now, until=until)
    return found


def _edge(word: str, problems: list[Problem]) -> Edge | None:
    weekly, dated = _WEEKLY.fullmatch(word.strip()), _DATED.fullmatch(word.strip())
    try:
        if weekly and (day := _weekday(weekly[1])) is not None:
            return Edge(day=day, at=time(int(weekly[2]), int(weekly[3])))
        if dated:
            return Edge(day=date.fromisoformat(dated[1]), at=time(int(dated[2] or 0), int(dated[3] or 0)))
    except ValueError:
        pass
    problems.append(Problem("freeze", f"{word.strip()!r} is no time such as Fri 16:00 or 2026-12-23 18:00"))
    return None


def _weekday(word: str) -> int | None:
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return next((i for i, day in enumerate(days) if day.startswith(word.lower())), None)


def _order(edge: Edge) -> tuple[date, time]:
    assert not isinstance(edge.day, int)
    return edge.day, edge.at


def _spans(freeze: Freeze, now: datetime) -> list[tuple[datetime, datetime]]:
    zone = ZoneInfo(freeze.zone)
    begins, ends = freeze.begins, freeze.ends
    if not isinstance(begins.day, int) or not isinstance(ends.day, int):
        assert not isinstance(begins.day, int)
        assert not isinstance(ends.day, int)
        return [(_instant(begins.day, begins.at, zone, min), _instant(ends.day, ends.at, zone, max))]
    today = now.astimezone(zone).date()
    days = (ends.day - begins.day) % 7 or (7 if ends.at <= begins.at else 0)
    first = today - timedelta(days=(today.weekday() - begins.day) % 7)
    starts = (first - timedelta(days=7), first, first + timedelta(days=7))
    return [
        (_instant(start, begins.at, zone, min), _instant(start + timedelta(days=days), ends.at, zone, max))
        for start in starts
    ]


def _instant(day: date, at: time, zone: ZoneInfo, pick: Callable[[Iterable[datetime]], datetime]) -> datetime:
    return pick(datetime.combine(day, at, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1))
