"""Fields: reads a mapping that somebody wrote, typed, and notes every mistake with its path. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from core.errors import Problem
from core.segments import suggestion


class Fields:
    """One mapping of a definition. Each read takes a field away; `done` notes what nobody asked for."""

    def __init__(self, node: object, path: str, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        self._fields: dict[str, object] = {}
        self._asked: list[str] = []
        if isinstance(node, Mapping):
            self._fields = {str(name): value for name, value in node.items()}
        else:
            problems.append(Problem(path, "must be a mapping of fields"))
            self._asked = ["*"]

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path and name else self.path or name

    def wrong(self, name: str, message: str) -> None:
        self.problems.append(Problem(self.at(name), message))

    def raw(self, name: str) -> object:
        """Return the field as it is; None if it is missing or null."""
        self._asked.append(name)
        return self._fields.get(name)

    def text(self, name: str, *, longest: int = 200) -> str | None:
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self.wrong(name, f"must be text of 1 to {longest} characters")
            return None
        return value.strip()

    def needed_text(self, name: str, *, longest: int = 200) -> str:
        if self.raw(name) is None:
            self._need(name)
            return ""
        return self.text(name, longest=longest) or ""

    def integer(self, name: str, lowest: int, highest: int) -> int | None:
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            self.wrong(name, f"must be a whole number, {lowest} to {highest}")
            return None
        return value

    def needed_integer(self, name: str, lowest: int, highest: int) -> int:
        if self.raw(name) is None:
            self._need(name)
            return lowest
        found = self.integer(name, lowest, highest)
        return lowest if found is None else found

    def number(self, name: str, lowest: float, highest: float) -> float | None:
        value = self.raw(name)
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        number = float(value) if isinstance(value, int | float) and is_number and abs(value) < 1e15 else math.nan
        if not lowest <= number <= highest:
            self.wrong(name, f"must be a number, {lowest:g} to {highest:g}")
            return None
        return number

    def flag(self, name: str) -> bool:
        value = self.raw(name)
        if value is not None and not isinstance(value, bool):
            self.wrong(name, "must be true or false")
        return value is True

    def one_of(self, name: str, allowed: Sequence[str]) -> str | None:
        value = self.raw(name)
        if value is None:
            return None
        if value not in allowed:
            near = suggestion(str(value), allowed)
            self.wrong(name, f"must be one of {', '.join(allowed)}, not {str(value)[:40]!r}{near}")
            return None
        return str(value)

    def moment(self, name: str) -> datetime | None:
        """Return a date or time as an aware UTC moment; one without zone is UTC."""
        value = self.raw(name)
        if value is None:
            return None
        moment = _moment(value)
        if moment is None:
            self.wrong(name, "must be a moment like 2026-11-20T00:00:00Z; one without a zone is UTC")
        return moment

    def each(self, name: str, *, at_most: int) -> list[tuple[str, object]]:
        """Return the items of a list, each with its path; empty if the field is missing."""
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > at_most:
            self.wrong(name, f"must be a list of at most {at_most}")
            return []
        return [(f"{self.at(name)}[{index}]", item) for index, item in enumerate(value)]

    def inner(self, name: str) -> Fields | None:
        """Return the mapping under a field; None if the field is missing."""
        value = self.raw(name)
        return None if value is None else Fields(value, self.at(name), self.problems)

    def items(self) -> list[tuple[str, object]]:
        """Return all fields of a mapping whose names are free, such as translations by language."""
        self._asked = ["*"]
        return list(self._fields.items())

    def done(self) -> None:
        """Note every field that was never asked for."""
        if self._asked == ["*"]:
            return
        for name in self._fields.keys() - set(self._asked):
            self.wrong(name, f"unknown field{suggestion(name, self._asked)}")

    def _need(self, name: str) -> None:
        self.wrong(name, "is missing")


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        return None
