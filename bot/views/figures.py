"""Numbers as people read them: 86 %, +0.2 pt, 1 904, "2 h 30 min". Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta

NARROW = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


def count(number: int) -> str:
    """1904 → "1 904"; the space does not break."""
    return f"{number:,}".replace(",", NARROW)


def few(number: int, least: int) -> str:
    """Return the number, but for fewer than `least` people only that it is fewer: "fewer than 20"."""
    return f"fewer than {least}" if 0 < number < least else count(number)


def left_out(answers: int, least: int) -> str:
    """Say that answers were not counted, as they were randomized otherwise than now; nothing of fewer than `least`.

    How many is told in steps of `least`, so that nobody is told by nearly being a number.
    """
    if answers < least:
        return ""
    told = f"at least {count(answers - answers % least)}"
    return f"; {told} sent under another privacy setting are left out"


def share(value: float) -> str:
    """0.861 → "86.1 %", 0.0004 → "0.04 %": three significant digits at most, none where they say nothing."""
    return f"{_short(100 * value)}{NARROW}%"


def points(value: float) -> str:
    """A difference of shares: 0.0021 → "+0.21 pt"."""
    return f"{_signed(100 * value)}{NARROW}pt"


def ratio(value: float) -> str:
    """A relative change: 0.1 → "+10 %"; 1.2 times as much is "+20 %", never "120 % higher"."""
    return f"{_signed(100 * value)}{NARROW}%"


def plain(value: float) -> str:
    return _short(value)


def signed(value: float) -> str:
    return _signed(value)


def length(span: timedelta) -> str:
    """90 minutes → "1 h 30 min"; two units at most."""
    minutes = max(0, round(span.total_seconds() / 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    shown = [f"{number}{NARROW}{unit}" for number, unit in parts[:2] if number]
    return " ".join(shown) or f"0{NARROW}min"


def moment(at: datetime, now: datetime | None = None) -> str:
    """Mon 23 Nov 09:00 UTC; Mon 11 Jan 2027 09:00 UTC when that is another year than `now`."""
    year = f" {at.year}" if now is not None and now.year != at.year else ""
    return f"{at:%a} {at.day} {at:%b}{year} {at:%H:%M} UTC"


def day(at: date) -> str:
    """23 November 2026."""
    return f"{at.day} {at:%B %Y}"


def _short(value: float) -> str:
    """One decimal from 1 to 100, two below, no trailing zeros; never a 0 that is not one."""
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 2
    text = f"{value + 0.0:.{decimals}f}"  # + 0.0: no "-0"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if value and not float(text):
        return f"<{NARROW}0.01" if value > 0 else f">{NARROW}{MINUS}0.01"
    return text.replace("-", MINUS)


def _signed(value: float) -> str:
    text = _short(value)
    return text if value <= 0 or text.startswith("<") else f"+{text}"


def size(size_bytes: int) -> str:
    """1 234 567 bytes → "1.23 MB"."""
    if size_bytes < 1000:
        return f"{size_bytes}{NARROW}bytes"
    unit, factor = ("kB", 1e3) if size_bytes < 1e6 else ("MB", 1e6)
    return f"{_short(size_bytes / factor)}{NARROW}{unit}"
