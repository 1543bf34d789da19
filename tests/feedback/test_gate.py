"""The gate of reports, when answers come late into a period that was told already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from core.device import DeviceContext
from core.segments import EVERYONE
from feedback.gate import Answered, Group, Table, admit, everybody, of_value
from tests.builders import T0

DEVICES = {name: DeviceContext(chipset=name) for name in ("Helio G35", "Tensor G2", "A15", "Unisoc T606")}
NOW = Table(since=T0 - timedelta(days=7), until=T0, where=EVERYONE, attribute="chipset")
NEXT = Table(since=NOW.since + timedelta(hours=1), until=T0 + timedelta(hours=1), where=EVERYONE, attribute="chipset")


def answered(chipset: str, people: int) -> list[Answered]:
    return [(chipset, T0 - timedelta(days=1), f"{chipset}-{number}") for number in range(people)]


def admitted(table: Table, *, told: Sequence[Group], answers: Sequence[Answered]) -> frozenset[Group]:
    return admit([table], told=told, answers=answers, devices=DEVICES, minimum=20)[0]


MANY = [one for chipset in ("Helio G35", "Tensor G2", "A15") for one in answered(chipset, 50)]
FEW = answered("Unisoc T606", 7)


def test_a_few_whose_answers_came_late_are_given_away_neither_by_the_table_told_before_nor_by_the_next() -> None:
    told = sorted(admitted(NOW, told=(), answers=MANY), key=repr)
    assert everybody(NOW) in told

    for table in (NOW, NEXT):
        again = admitted(table, told=told, answers=[*MANY, *FEW])

        others = {of_value(table, chipset) for chipset in ("Helio G35", "Tensor G2", "A15")}
        assert not {everybody(table), *others} <= again
        assert of_value(table, "Unisoc T606") not in again


def test_what_was_told_and_is_still_enough_is_told_again() -> None:
    told = sorted(admitted(NOW, told=(), answers=MANY), key=repr)

    assert admitted(NOW, told=told, answers=MANY) == set(told)
