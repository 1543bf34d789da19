"""Days: what a model saw and said, counted per day and leaf cohort, the same however often it is counted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from core.db import Databases, reading
from core.device import DeviceContext
from core.settings import Settings
from feedback import store
from feedback.drift_cohorts import OTHER, cohort_days
from feedback.store import LeafDay
from tests.builders import T0, ManualClock
from tests.feedback.sending import Wire, a_batch, a_context, a_summary

DAY = T0.date()
BASELINE = {"name": "kws", "version": "1.3.2"}


@pytest.fixture
def wire(databases: Databases, settings: Settings, clock: ManualClock) -> Wire:
    return Wire(databases, settings, clock)


def report(wire: Wire, uuid: str, *, chipset: str = "Helio G35", install: str = "install-1", **changes: Any) -> None:
    context = a_context(install=install, soc=chipset, model=changes.pop("model", BASELINE))
    reply = wire.batch(a_batch(inferences=(a_summary(uuid, **changes),), context=context))
    assert reply.json is not None
    assert reply.json["accepted"] == 1, reply.text


def counts(databases: Databases, measure: str) -> dict[str, int]:
    with databases.ingest.begin() as session:
        store.roll_up_day(session, app="demo", model="kws", day=DAY)
    with reading(databases.ingest) as session:
        days = store.leaf_days(session, app="demo", model="kws", since=DAY, until=DAY + timedelta(days=1))
    found: dict[str, int] = {}
    for each in days:
        for outcome, n in each.counts.items():
            if each.measure == measure:
                found[outcome] = found.get(outcome, 0) + n
    return found


def test_labels_confidence_invalid_inputs_and_fallbacks_are_counted(wire: Wire, databases: Databases) -> None:
    confidence = {"edges": [0, 0.5, 0.75, 1], "counts": [10, 30, 60]}
    report(wire, "a", outputs={"go": 70, "stop": 30}, confidence=confidence, errors={"input_invalid": 5})
    report(wire, "b", outputs={"go": 50}, accelerator={"requested": "nnapi", "used": "cpu"})

    assert counts(databases, "outputs") == {"go": 120, "stop": 30}
    assert counts(databases, "confidence") == {"0.2–0.3": 10, "0.6–0.7": 30, "0.8–0.9": 60}
    assert counts(databases, "invalid inputs") == {"yes": 5, "no": 195}
    assert counts(databases, "fallback") == {"yes": 1, "no": 1}


def test_counting_a_day_again_takes_in_what_came_late_and_nothing_twice(wire: Wire, databases: Databases) -> None:
    report(wire, "a", outputs={"go": 10})
    assert counts(databases, "outputs") == {"go": 10}
    report(wire, "b", outputs={"go": 1})

    assert counts(databases, "outputs") == {"go": 11}
    assert counts(databases, "outputs") == {"go": 11}


def test_what_a_candidate_says_is_left_out(wire: Wire, databases: Databases) -> None:
    report(wire, "a", outputs={"go": 10}, model=BASELINE | {"release": "rel_1", "arm": "candidate"})
    report(wire, "b", outputs={"stop": 3}, model=BASELINE | {"release": "rel_1", "arm": "baseline"})

    assert counts(databases, "outputs") == {"stop": 3}


def a_leaf(chipset: str, counts: dict[str, int]) -> LeafDay:
    return LeafDay(device=DeviceContext(chipset=chipset), measure="outputs", day=date(2026, 11, 2), counts=counts)


def test_cohorts_of_too_few_are_in_everyone_only() -> None:
    days = [a_leaf("A16", {"go": 5}), a_leaf("Rare", {"go": 1}), a_leaf("Odd", {"go": 1})]
    people = [(DeviceContext(chipset=name), count) for name, count in (("A16", 20), ("Rare", 19), ("Odd", 1))]

    found = {each.cohort: dict(each.counts) for each in cohort_days(days, people, minimum=20)}

    assert found == {"": {"go": 7}, "chipset=A16": {"go": 5}}


def test_no_cohort_is_told_that_everyone_less_the_others_would_give() -> None:
    days = [a_leaf("A16", {"go": 5}), a_leaf("G35", {"go": 3}), a_leaf("Rare", {"go": 1})]
    people = [(DeviceContext(chipset=name), count) for name, count in (("A16", 40), ("G35", 20), ("Rare", 19))]

    found = {each.cohort: dict(each.counts) for each in cohort_days(days, people, minimum=20)}

    assert found == {"": {"go": 9}, "chipset=A16": {"go": 5}}


def test_labels_that_a_phone_makes_up_are_put_together() -> None:
    days = [a_leaf("A16", {"go": 500} | {f"x{number}": 1 for number in range(300)})]

    (everyone, *_) = cohort_days(days, [(DeviceContext(chipset="A16"), 30)], minimum=20)

    assert len(everyone.counts) == 41
    assert everyone.counts[OTHER] == 261
    assert sum(everyone.counts.values()) == 800


def test_days_are_forgotten_when_the_telemetry_is_that_they_were_counted_from(wire: Wire, databases: Databases) -> None:
    report(wire, "a", outputs={"go": 10})
    assert counts(databases, "outputs") == {"go": 10}

    def days() -> int:
        with reading(databases.ingest) as session:
            return len(store.leaf_days(session, app="demo", model="kws", since=DAY, until=DAY + timedelta(days=1)))

    store.forget(databases.ingest, now=T0 + timedelta(days=30), retention_days=30)
    assert days() > 0
    store.forget(databases.ingest, now=T0 + timedelta(days=31), retention_days=30)
    assert days() == 0
