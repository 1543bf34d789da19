"""The fleet is honest: what is put in comes out of what it sends, the same seed sends the same, nothing is lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from core.segments import parse
from sandbox.fleet import Fleet, Manner
from sandbox.habits import Fault
from sandbox.wire import Reply
from tests.sandbox.collector import POLL, T0, Collector

DAY = timedelta(days=1)
BAD = Fault(version="1.4.0", where=parse('chipset="Helio G35" and accelerator=nnapi'), crash=0.3, satisfied=0.4)


@pytest.fixture
def fleets() -> Iterator[list[Fleet]]:
    made: list[Fleet] = []
    yield made
    for fleet in made:
        fleet.close()


def a_fleet(collector: Collector, fleets: list[Fleet], **manner: Any) -> Fleet:
    told: dict[str, Any] = {"phones": 150, "threads": 2, **manner}
    faults = told.pop("faults", ())
    fleet = Fleet(
        Manner(**told), app="demo", model="kws", key="pk_1", transport=collector, start=T0 - DAY, faults=faults
    )
    fleets.append(fleet)
    return fleet


def live_a_day(fleet: Fleet) -> None:
    fleet.check_in(T0 - DAY, everybody=True)
    fleet.live(T0 - DAY, T0)


def answers_of(collector: Collector) -> list[dict[str, Any]]:
    return [item for item in collector.kept.values() if item.get("event") == "poll answered"]


def test_the_same_seed_sends_the_same_whatever_the_threads_do(fleets: list[Fleet]) -> None:
    first, second = Collector(), Collector()
    live_a_day(a_fleet(first, fleets, threads=1))
    live_a_day(a_fleet(second, fleets, threads=4))

    assert json.dumps(first.kept, sort_keys=True) == json.dumps(second.kept, sort_keys=True)
    assert len(first.kept) > 300


def test_another_seed_is_another_fleet(fleets: list[Fleet]) -> None:
    first, second = Collector(), Collector()
    live_a_day(a_fleet(first, fleets, seed=1))
    live_a_day(a_fleet(second, fleets, seed=2))

    assert not set(first.kept) & set(second.kept)


def test_every_answer_arrives_once_although_replies_get_lost(fleets: list[Fleet]) -> None:
    collector = Collector()
    fleet = a_fleet(collector, fleets, lost_replies_share=0.5)
    live_a_day(fleet)
    fleet.deliver(T0 + timedelta(hours=1))

    tally = fleet.tally()
    assert tally.accepted == len(answers_of(collector))
    assert tally.duplicate > 0
    assert tally.sent == tally.accepted + tally.duplicate
    assert all(one.phone.waiting == 0 for one in fleet.members)


def test_phones_that_are_offline_send_later(fleets: list[Fleet]) -> None:
    collector = Collector()
    fleet = a_fleet(collector, fleets)
    fleet.check_in(T0 - DAY, everybody=True)
    fleet.is_offline = True
    fleet.live(T0 - DAY, T0)
    assert fleet.tally().sent == 0

    fleet.is_offline = False
    fleet.deliver(T0)

    assert fleet.tally().accepted == len(answers_of(collector)) > 20


def test_batches_sent_twice_are_duplicates_and_change_nothing(fleets: list[Fleet]) -> None:
    collector = Collector()
    fleet = a_fleet(collector, fleets, lost_replies_share=0.0)
    live_a_day(fleet)
    kept = dict(collector.kept)

    repeats = fleet.send_again(T0, 5)

    assert repeats.sent == repeats.duplicate > 0
    assert repeats.accepted == 0
    assert collector.kept == kept


def test_some_clocks_are_wrong_and_sent_at_shows_by_how_much(fleets: list[Fleet]) -> None:
    collector = Collector()
    fleet = a_fleet(collector, fleets, wrong_clock_share=0.5, offline_daily=0.0)
    live_a_day(fleet)

    skews = {body["context"]["install"]: body["sent_at"] for body in collector.bodies}
    wrong = [one for one in fleet.members if abs(one.watch.skew) > timedelta(minutes=5)]
    assert 40 < len(wrong) < 110
    assert all(skews[one.phone.install] == one.watch().isoformat() for one in wrong if one.phone.install in skews)


def test_dear_and_cheap_phones_all_occur(fleets: list[Fleet]) -> None:
    fleet = a_fleet(Collector(), fleets, phones=1500)

    chipsets = Counter(one.handset.chipset.name for one in fleet.members)
    bad = [
        one for one in fleet.members if one.handset.chipset.name == "Helio G35" and one.handset.accelerator == "nnapi"
    ]
    assert len(chipsets) >= 12
    assert 0 < min(chipsets.values()) < 20
    assert 0.07 < len(bad) / 1500 < 0.13


def test_a_fault_crashes_the_cohort_it_names_and_nobody_else(fleets: list[Fleet]) -> None:
    collector = Collector()
    fleet = a_fleet(collector, fleets, phones=600, faults=(BAD,))
    live_a_day(fleet)
    fleet.check_in(T0, everybody=True)
    for hour in range(12):
        fleet.live(T0 + timedelta(hours=hour), T0 + timedelta(hours=hour + 1))

    hit: Counter[bool] = Counter()
    hours: Counter[bool] = Counter()
    for uuid, item in collector.kept.items():
        context = collector.contexts[uuid]
        if "errors" in item and context.get("model"):
            is_bad = context["soc"] == "Helio G35" and context["accelerator"] == "nnapi"
            hours[is_bad] += 1
            hit[is_bad] += item["errors"]["crash"] > 0
    assert hit[True] / hours[True] == pytest.approx(0.3, abs=0.08)
    assert hit[False] / hours[False] == pytest.approx(0.004, abs=0.004)


def test_unhappy_people_say_why(fleets: list[Fleet]) -> None:
    collector = Collector()
    why = {"id": "why", "type": "multiple_choice", "choices": [{"id": "slow"}, {"id": "missed"}]}
    text = {"id": "text", "type": "open", "optional": True}
    collector.polls = [{**POLL, "questions": [*POLL["questions"], why, text]}]
    live_a_day(a_fleet(collector, fleets, phones=300))

    told = [{one["question"]: one["value"] for one in event["answers"]} for event in answers_of(collector)]
    happy = [one for one in told if one["q"] >= 4]
    assert 0.75 < len(happy) / len(told) < 0.95
    assert all("why" not in one for one in happy)
    assert all("why" in one for one in told if one["q"] < 4)


def test_what_the_server_refuses_is_kept_as_a_problem(fleets: list[Fleet]) -> None:
    collector = Collector()
    fleet = a_fleet(collector, fleets, phones=10)
    fleet.check_in(T0 - DAY, everybody=True)
    collector.faults = [Reply(status=400, body=b"no JSON")] * 10
    fleet.live(T0 - DAY, T0)

    assert fleet.problems
    assert set(fleet.problems) == {"HTTP 400: no JSON"}
