"""The gate that every report passes: which of its groups may be told, given those that were told before.

A report asks for a table: everybody of a segment in a period, and a group for each value of an attribute. The atoms of
core/disclosure.py are the answers of one context between two of the moments at which any told period begins or ends.
So periods, filters and attributes are one and the same to the attacker, as they are to us. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from core.device import DeviceContext
from core.disclosure import Atoms, withhold
from core.segments import EVERYONE, Segment, matches

Answered = tuple[str, datetime, str]
"""Context, moment and install of one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a report asks for: the answers of `where` in [since, until), by an attribute (short name)."""

    since: datetime
    until: datetime
    where: Segment
    attribute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One number of a table: of everybody (`attribute` is None), or of one `value` (None: phones did not tell it)."""

    since: datetime
    until: datetime
    where: Segment
    attribute: str | None = None
    value: str | None = None


def everybody(table: Table) -> Group:
    return Group(since=table.since, until=table.until, where=table.where)


def of_value(table: Table, value: str | None) -> Group:
    return Group(
        since=table.since, until=table.until, where=table.where, attribute=table.attribute, value=value
    )  # fmt: skip


class Admitted(NamedTuple):
    """The groups that may be told, those that might be `alone`, had nothing been told before, and the `news` among the
    former: whoever knows what was told does not know them yet.
    """

    groups: frozenset[Group]
    alone: frozenset[Group]
    news: tuple[Group, ...]


def admit(
    tables: Sequence[Table],
    *,
    told: Sequence[Group],
    answers: Iterable[Answered],
    devices: Mapping[str, DeviceContext],
    minimum: int,
) -> Admitted:
    """Return which groups of the tables may be told.

    `answers` cover the periods of the tables and of what was told. A group that was told already is told again, unless
    the tables by themselves give somebody away by now: answers that came late stand in it, which did not when it was
    told.
    """
    crowd = _Crowd(answers, devices, moments(tables, told))
    groups = list(dict.fromkeys(group for table in tables for group in (everybody(table), *crowd.values(table))))
    hidden = withhold([crowd.atoms(group) for group in groups], people=crowd.people, minimum=minimum)
    alone = frozenset(group for place, group in enumerate(groups) if place not in hidden)
    asked = [group for group in groups if group not in told]
    atoms = [crowd.atoms(group) for group in asked]
    before = [crowd.atoms(group) for group in told]
    hidden = withhold(atoms, people=crowd.people, minimum=minimum, told=before) if told else frozenset()
    passed = {asked[place] for place in range(len(asked)) if place not in hidden} | (set(groups) & set(told))
    return Admitted(alone & passed, alone, _news([group for group in groups if group in alone & passed], told, crowd))


def _news(groups: Sequence[Group], told: Sequence[Group], crowd: _Crowd) -> tuple[Group, ...]:
    """Return one group for each set of answers that no told group is of."""
    by_atoms = {crowd.atoms(group): group for group in reversed(groups)}
    for group in told:
        by_atoms.pop(crowd.atoms(group), None)
    return tuple(by_atoms.values())


def moments(tables: Sequence[Table], told: Sequence[Group]) -> list[datetime]:
    """Return where the periods of tables and groups begin and end: answers between two of them are one to the gate."""
    ends = [(table.since, table.until) for table in tables] + [(group.since, group.until) for group in told]
    return [moment for pair in ends for moment in pair]


def admit_groups(
    groups: Sequence[Group],
    *,
    told: Sequence[Group],
    answers: Iterable[Answered],
    devices: Mapping[str, DeviceContext],
    minimum: int,
) -> frozenset[Group]:
    """Return those of some groups that may be told, as `admit` does those of tables."""
    crowd = _Crowd(answers, devices, moments((), [*groups, *told]))
    asked = [group for group in groups if group not in told]
    atoms = [crowd.atoms(group) for group in asked]
    hidden = withhold(atoms, people=crowd.people, minimum=minimum, told=[crowd.atoms(group) for group in told])
    passed = {group for place, group in enumerate(asked) if place not in hidden and atoms[place]}
    return frozenset(passed | (set(groups) & set(told)))


def admit_cohorts(
    wanted: Sequence[Segment],
    *,
    earlier: Sequence[Segment],
    installs: Sequence[tuple[DeviceContext, int]],
    minimum: int,
    certain: Sequence[Segment] = (),
) -> frozenset[Segment]:
    """Return the cohorts of one comparison whose numbers, as of now, may stand beside everybody's and one another's.

    `installs`: how many there are of each kind of device. Everybody's numbers are told in any case, and those of the
    `certain` ones; of the others the first go first. `earlier` were told at looks before: they may not give anybody
    away together with what is told now, and have to pass again themselves, for there may be others beside them now.
    """

    def inside(where: Segment) -> Atoms:
        return frozenset(place for place, (device, _) in enumerate(installs) if matches(where, device))

    def people(atoms: Iterable[Hashable]) -> int:
        return sum(installs[place][1] for place in atoms if isinstance(place, int))

    told, passed = [inside(EVERYONE), *map(inside, certain)], set(certain)
    for where in dict.fromkeys(wanted):
        one = inside(where)
        before = [inside(each) for each in earlier if each != where]
        hidden = any(withhold([one], people=people, minimum=minimum, told=given) for given in (told, [*told, *before]))
        if where not in passed and not hidden:
            told.append(one)
            passed.add(where)
    return frozenset(passed)


class _Crowd:
    """Who answered, by context and by the span between two moments."""

    def __init__(
        self, answers: Iterable[Answered], devices: Mapping[str, DeviceContext], moments: Sequence[datetime]
    ) -> None:
        self._devices = devices
        self._moments = sorted(set(moments))
        self._installs: dict[tuple[str, int], set[str]] = defaultdict(set)
        for context, at, install in answers:
            self._installs[context, bisect_right(self._moments, at)].add(install)
        self._matching: dict[Segment, frozenset[str]] = {}
        self._labels: dict[str, dict[str, str | None]] = {}

    def values(self, table: Table) -> list[Group]:
        """Return a group for each value of the attribute that some answer of the table has."""
        atoms = self.atoms(everybody(table))
        label = self._label(table.attribute)
        labels = {label[context] for context, _ in _pairs(atoms)}
        return [of_value(table, label) for label in sorted(labels, key=lambda label: (label is None, label or ""))]

    def atoms(self, group: Group) -> Atoms:
        first, last = bisect_left(self._moments, group.since) + 1, bisect_left(self._moments, group.until)
        inside = self._contexts(group.where)
        if group.attribute is not None:
            label = self._label(group.attribute)
            inside = frozenset(context for context in inside if label[context] == group.value)
        return frozenset(
            (context, span) for context, span in self._installs if first <= span <= last and context in inside
        )

    def people(self, atoms: Iterable[Hashable]) -> int:
        return len(set().union(*(self._installs[pair] for pair in _pairs(atoms))))

    def _label(self, attribute: str) -> Mapping[str, str | None]:
        if attribute not in self._labels:
            self._labels[attribute] = {context: device.label(attribute) for context, device in self._devices.items()}
        return self._labels[attribute]

    def _contexts(self, where: Segment) -> frozenset[str]:
        if where not in self._matching:
            found = (context for context, device in self._devices.items() if matches(where, device))
            self._matching[where] = frozenset(found)
        return self._matching[where]


def _pairs(atoms: Iterable[Hashable]) -> list[tuple[str, int]]:
    return [atom for atom in atoms if isinstance(atom, tuple)]
