"""The words of a plan: shares, lengths of time, whole numbers and moments, with every mistake told. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from core.errors import Problem

LEAST_PERCENT: Final = 0.0001
LONGEST_BAKE: Final = timedelta(days=90)
MOST_WITH_RIVAL: Final = 33.3
LONGEST_WORD: Final = 2000
# A year of a start; moments near the ends of the calendar cannot be counted on from, or be told in UTC.
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2999
PLAN_WORDS: Final = (
    "to", "bake", "where", "guard", "min", "approve", "approvals", "start", "holdback", "mode", "versus",
)  # fmt: skip
"""What is said of a plan, by people and pipelines alike; `plan.read` reads it."""
PROPOSAL_WORDS: Final = ("model", "version", *PLAN_WORDS, "reason")
"""What a pipeline may say of a release."""
_UNITS: Final = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH: Final = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d|w)")


def parse_length(text: str) -> timedelta | None:
    """Return "24h", "90min", "1d12h" as a length of time, None if it is not one."""
    text = text.strip().lower()
    if not text or _LENGTH.sub("", text):
        return None
    total = timedelta()
    for number, unit in _LENGTH.findall(text):
        if len(number) > 9:
            return None
        total += timedelta(**{_UNITS[unit]: float(number)})
    return total


def percents(text: str, problems: list[Problem], *, has_rival: bool = False) -> list[float]:
    """Return the shares, one for each that was typed, mistaken or not.

    With a rival there are three arms of one size, so no share may be above a third.
    """
    found: list[float] = []
    for word in text.split(","):
        before = max(found, default=0.0)
        percent = number(word.strip().removesuffix("%"))
        if percent is None or not LEAST_PERCENT <= percent <= 100:
            problems.append(
                Problem("to", f"must be percentages from 0.0001 to 100, such as 1,5,25,100; not {word.strip()!r}")
            )
        elif percent <= before:
            problems.append(
                Problem("to", f"must rise: {percent:g} comes after {before:g}; write the shares from the smallest")
            )
        found.append(percent if percent is not None else before)
    if has_rival and max(found) > MOST_WITH_RIVAL:
        problems.append(Problem("to", f"must stay at or below {MOST_WITH_RIVAL}: two candidates and a baseline share"))
    if not has_rival and 0 < max(found) < 100:
        problems.append(Problem("to", "must end at 100; pause or halt keeps a release at a smaller share"))
    return found


def bakes(text: str, stages: int, problems: list[Problem]) -> list[timedelta]:
    words = text.split(",")
    lengths = [parse_length(word) for word in words]
    for i, (word, length) in enumerate(zip(words, lengths, strict=True), start=1):
        which = f"stage {i} " if len(words) > 1 else ""
        if length is None and not word.strip():
            problems.append(
                Problem("bake", f"leaves {which or 'every stage '}without a length; say one such as 30min, 24h or 2d")
            )
        elif length is None:
            problems.append(Problem("bake", f"must be a length of time such as 30min, 24h or 2d, not {word.strip()!r}"))
        elif not timedelta() < length <= LONGEST_BAKE:
            problems.append(Problem("bake", f"must be above 0 and at most 90d, not {word.strip()}"))
    if len(words) not in (1, stages):
        problems.append(Problem("bake", f"must be one length or one for each of the {stages} stages, not {len(words)}"))
    known = [length or timedelta() for length in lengths]
    return (known * stages)[:stages] if len(known) == 1 else (known + [timedelta()] * stages)[:stages]


def approvals(text: str | None, percents: list[float], problems: list[Problem]) -> set[float]:
    asked: set[float] = set()
    for word in (text or "").split(",") if text else ():
        percent = number(word.strip().removesuffix("%"))
        if percent is None or percent not in percents:
            problems.append(Problem("approve", f"must name shares of `to`, not {word.strip()!r}"))
        else:
            asked.add(percent)
    return asked


def whole(path: str, text: str | None, problems: list[Problem], *, most: int, of: str, unsaid: int = 1) -> int:
    """Return a whole number from 1."""
    if text is None:
        return unsaid
    if not re.fullmatch(r"[1-9]\d{0,8}", text.strip()) or int(text) > most:
        problems.append(Problem(path, f"must be a whole number of {of} from 1 to {most}, not {text!r}"))
        return 1
    return int(text)


def holdback(text: str | None, problems: list[Problem]) -> float:
    percent = number(text.strip().removesuffix("%").strip()) if text else 0.0
    if percent is None or percent > 50:
        problems.append(Problem("holdback", f"must be a percentage from 0 to 50, not {text!r}"))
        return 0.0
    return percent


def moment(text: str | None, problems: list[Problem]) -> datetime | None:
    if not text:
        return None
    moment: datetime | None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        problems.append(Problem("start", f"must be a moment such as 2026-11-23T09:00+01:00, not {text!r}"))
        return None
    if moment.tzinfo is None:
        problems.append(Problem("start", "must say its time zone, such as 2026-11-23T09:00+01:00 or …Z"))
        return None
    return moment.astimezone(UTC)


def number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,3}(\.\d{1,9})?|\.\d{1,9}", text) else None
