"""How numbers and moments read in sentences: 1 904, 0.5 %, +2.6 pt, Mon 23 Nov 07:00 UTC. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def count(n: int) -> str:
    return f"{n:,}".replace(",", " ")


def percent(fraction: float) -> str:
    return f"{_short(fraction * 100)} %"


def points(fraction: float) -> str:
    return f"{_short(fraction * 100)} pt"


def signed(size: str, value: float) -> str:
    """Put the sign of `value` before its size in words."""
    return ("−" if value < 0 else "+") + size


def share(percent_of_installs: float) -> str:
    """Return 0.1 as "0.1 %" and 25.0 as "25 %"; never in powers of ten."""
    return f"{percent_of_installs:.4f}".rstrip("0").rstrip(".") + " %"


def duration(length: timedelta) -> str:
    """Return the length in its two largest units: "24 h", "2 d 4 h", "15 min"."""
    minutes = int(length.total_seconds() // 60)
    days, minutes = divmod(minutes, 24 * 60) if minutes >= 48 * 60 else (0, minutes)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts[:2]) or f"{int(length.total_seconds())} s"


def moment(at: datetime, now: datetime | None = None) -> str:
    """Return the moment, with its year when it is another one than that of `now`."""
    at = at.astimezone(UTC)
    year = f" {at.year}" if now is not None and now.astimezone(UTC).year != at.year else ""
    return f"{DAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]}{year} {at:%H:%M} UTC"


def size(n_bytes: float) -> str:
    """Return 1500000 as "1.5 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{_short(n_bytes) if n_bytes else '0'} {unit}"
        n_bytes /= 1000
    return f"{_short(n_bytes)} TB"


def _short(number: float) -> str:
    if number >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}".removesuffix(".0") if number >= 1 else f"{number:.2g}"
