"""Leaves are what cells count, by kind of device; arrivals are when installs came and which were lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.arms import ARMS
from core.db import Databases
from feedback import store
from feedback.telemetry import BATTERY, CONFIDENCE, CSAT, HARMS, LATENCY_P95
from tests.builders import at
from tests.feedback.test_store_arms import CRASH, Fleet

P95: dict[str, Any] = {"latency_ms": {"scheme": "log2x4", "buckets": {"18": 90, "22": 10}}}


@pytest.fixture
def fleet(databases: Databases, tmp_path: Path) -> Fleet:
    return Fleet(databases, tmp_path)


def leaves(fleet: Fleet, *metrics: str) -> tuple[store.LeafCounts, ...]:
    with fleet.databases.ingest() as session:
        told = store.diaries(session, app="demo", release="rel_1")
        return store.arm_leaves(session, told, app="demo", release="rel_1", metrics=frozenset(metrics))


def buckets(fleet: Fleet, metric: str) -> dict[int, int]:
    """In how many install-hours a metric was in each bucket."""
    found = Counter[int]()
    for each in leaves(fleet, metric):
        found.update(dict(zip(each.bucket.tolist(), each.n.tolist(), strict=True)))
    return dict(found)


def arrived(fleet: Fleet) -> dict[str, tuple[int, int]]:
    """Installs and lost ones of each arm."""
    installs, lost = Counter[str](), Counter[str]()
    with fleet.databases.ingest() as session:
        diaries = store.diaries(session, app="demo", release="rel_1")
    for each in store.arrivals(diaries, version="1.4.0"):
        installs[each.arm] += each.installs
        lost[each.arm] += each.lost
    return {arm: (installs[arm], lost[arm]) for arm in installs}


@pytest.mark.parametrize("metric", [*HARMS, CSAT])
def test_the_leaves_of_a_metric_add_up_to_its_cells(fleet: Fleet, metric: str) -> None:
    fleet.report("baseline", installs=range(3), context={"soc": "Helio G35"})
    fleet.report("candidate", installs=range(4), context={"soc": "Tensor G2"}, **CRASH)
    fleet.report("candidate", installs=range(2), hour=at(-2), context={"soc": "Helio G35"})
    fleet.report("candidate", installs=range(2), hour=at(-2), context={"soc": "Helio G35"}, **CRASH)
    fleet.rate("candidate", 5, 4, 1)

    of_cells = {(cell.hour, cell.arm): (cell.n, cell.total) for cell in fleet.cells(metric)}
    (counts,) = leaves(fleet, metric)
    of_leaves: dict[tuple[object, str], tuple[int, int]] = {}
    for arm, hour, bucket, n in zip(
        *(each.tolist() for each in (counts.arm, counts.hour, counts.bucket, counts.n)), strict=True
    ):
        key = counts.hours[hour], ARMS[arm]
        had = of_leaves.get(key, (0, 0))
        of_leaves[key] = (had[0] + n, had[1] + n * bucket)

    assert of_leaves == of_cells
    assert counts.metric == metric


def test_what_only_some_guardrails_ask_for_is_counted_when_it_is_asked_for(fleet: Fleet) -> None:
    told: dict[str, Any] = {"confidence": {"edges": [0, 0.5, 1], "counts": [1, 4]}, "battery_pct": 1.5}
    fleet.report("baseline", installs=range(2), **P95, **told)
    fleet.report("baseline", installs=(9,))

    assert buckets(fleet, CONFIDENCE) == {65: 2}
    assert buckets(fleet, BATTERY) == {15: 2}
    assert buckets(fleet, LATENCY_P95) == {22: 2, 24: 1}
    assert leaves(fleet) == ()


def test_an_install_that_was_heard_of_in_one_hour_only_or_never_ran_the_candidate_is_lost(fleet: Fleet) -> None:
    old = {"name": "kws", "version": "1.3.2", "release": "rel_1", "arm": "candidate"}
    fleet.report("baseline", installs=range(5), hour=at(-3))
    fleet.report("baseline", installs=range(4), hour=at(-1))
    fleet.report("candidate", installs=range(6), hour=at(-3))
    fleet.report("candidate", installs=range(6), hour=at(-2))
    fleet.report("candidate", installs=range(10, 12), hour=at(-3), model=old)
    fleet.report("candidate", installs=range(10, 12), hour=at(-2), model=old)

    assert arrived(fleet) == {"baseline": (5, 1), "candidate": (8, 2)}
