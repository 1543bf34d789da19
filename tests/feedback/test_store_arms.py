from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.db import Databases
from core.errors import InvalidInputError
from feedback import store
from feedback.ingest import Collector
from tests.builders import T0, at, some_settings
from tests.feedback.sending import a_batch, a_context, a_running_poll, a_summary, an_answer

EARLIER = at(-1)
CRASH: dict[str, Any] = {"errors": {"crash": 1}}


class Fleet:
    """Installs that report hours and ratings in one arm or the other."""

    def __init__(self, databases: Databases, folder: Path) -> None:
        with databases.control.begin() as session:
            a_running_poll(session)
        self.databases = databases
        self.collector = Collector(databases, some_settings(folder))
        self.sent = 0

    def report(
        self, arm: str, *, installs: Iterable[int] = (1,), hour: datetime = EARLIER, context: Any = None, **summary: Any
    ) -> None:
        model = {"name": "kws", "version": "1.4.0", "release": "rel_1", "arm": arm}
        for install in installs:
            self.sent += 1
            sender = a_context(install=f"{arm}-{install}", model=model, **(context or {}))
            run = a_summary(f"i{self.sent}", at=hour, **summary)
            self.send(a_batch(inferences=(run,), context=sender))

    def rate(self, arm: str, *ratings: int) -> None:
        model = {"name": "kws", "release": "rel_1", "arm": arm}
        for rating in ratings:
            self.sent += 1
            sender = a_context(install=f"{arm}-{self.sent}", model=model)
            self.send(a_batch(an_answer(f"e{self.sent}", rating), context=sender))

    def send(self, batch: dict[str, Any], app: str = "demo") -> None:
        reply = self.collector.accept_batch(json.dumps(batch).encode(), app=app, now=T0)
        assert reply.rejected == 0, reply
        store.catch_up(self.databases.ingest)

    def cells(self, metric: str, **more: Any) -> list[store.ArmCell]:
        with self.databases.ingest() as session:
            found = store.arm_cells(session, app="demo", release="rel_1", **more)
        return [cell for cell in found if cell.metric == metric]

    def cohorts(self, metric: str, attribute: str) -> dict[tuple[str, str], tuple[float, float, int]]:
        """n, total and installs by value of an attribute and arm."""
        with self.databases.ingest() as session:
            rows = store.install_sums(session, app="demo", release="rel_1", metrics=(metric,))[metric]
        sums: dict[tuple[str, str], tuple[float, float, int]] = {}
        for device, arm, n, total in rows:
            key = (str(device.label(attribute)), arm)
            had = sums.get(key, (0, 0, 0))
            sums[key] = (had[0] + n, had[1] + total, had[2] + 1)
        return sums


@pytest.fixture
def fleet(either: Databases, tmp_path: Path) -> Fleet:
    return Fleet(either, tmp_path)


def test_a_rate_counts_install_hours_and_those_harmed(fleet: Fleet) -> None:
    fleet.report("candidate", installs=range(10))
    fleet.report("candidate", installs=range(10, 13), **CRASH)
    fleet.report("baseline", installs=range(7))

    found = {(cell.arm, cell.n, cell.total) for cell in fleet.cells("crash_rate")}
    assert found == {("candidate", 13, 3), ("baseline", 7, 0)}
    assert {(cell.n, cell.total) for cell in fleet.cells("timeout_rate")} == {(13, 0), (7, 0)}


def test_one_bad_phone_is_one_harm_an_hour_however_often_it_crashes(fleet: Fleet) -> None:
    fleet.report("candidate", installs=[1, 1, 1], errors={"crash": 50})
    fleet.report("candidate", installs=[1])
    fleet.report("candidate", installs=[1], hour=at(-2), **CRASH)

    assert [(cell.hour, cell.n, cell.total) for cell in fleet.cells("crash_rate")] == [(at(-2), 1, 1), (at(-1), 1, 1)]


def test_a_late_report_is_credited_to_the_hour_it_happened_in(fleet: Fleet) -> None:
    fleet.report("candidate", hour=at(-30) + timedelta(minutes=59), **CRASH)
    assert [cell.hour for cell in fleet.cells("crash_rate")] == [at(-30)]


def test_strata_are_kept_apart(fleet: Fleet) -> None:
    fleet.report("candidate", context={"device.class": "high"})
    fleet.report("candidate", installs=[2], context={"os.name": "iOS", "device.class": "high"})
    assert [cell.stratum for cell in fleet.cells("crash_rate")] == ["android/high", "ios/high"]


def test_each_kind_of_harm_has_its_metric(fleet: Fleet) -> None:
    fell: dict[str, Any] = {"requested": "nnapi", "used": "cpu"}
    fleet.report("candidate", errors={"timeout": 2, "input_invalid": 1}, accelerator=fell)
    totals = {
        name: fleet.cells(name)[0].total for name in ("crash_rate", "timeout_rate", "fallback_rate", "invalid_rate")
    }
    assert totals == {"crash_rate": 0, "timeout_rate": 1, "fallback_rate": 1, "invalid_rate": 1}


def test_ratings_are_counted_summed_and_squared(fleet: Fleet) -> None:
    fleet.rate("candidate", 5, 5, 2)
    (cell,) = fleet.cells("csat")
    assert (cell.n, cell.total, cell.total_sq, cell.buckets) == (3, 12, 54, {2: 1, 5: 2})


def test_a_slow_hour_is_one_above_what_baseline_installs_had_before(fleet: Fleet) -> None:
    quick: dict[str, Any] = {"latency_ms": {"scheme": "log2x4", "buckets": {"20": 100}}}
    slow: dict[str, Any] = {"latency_ms": {"scheme": "log2x4", "buckets": {"30": 100}}}
    fleet.report("baseline", installs=range(5), hour=at(-2), **quick)
    fleet.report("baseline", installs=range(5), **quick)
    fleet.report("candidate", installs=range(3), **quick)
    fleet.report("candidate", installs=range(3, 5), **slow)

    found = {(cell.hour, cell.arm): (cell.n, cell.total, cell.buckets) for cell in fleet.cells("latency_p95")}
    assert found == {
        (at(-2), "baseline"): (0, 0, {20: 5}),
        (at(-1), "baseline"): (5, 0, {20: 5}),
        (at(-1), "candidate"): (5, 2, {20: 3, 30: 2}),
    }
    assert fleet.cells("latency")[-1].buckets == {20: 300, 30: 200}


def test_since_leaves_out_earlier_hours_but_not_what_they_taught(fleet: Fleet) -> None:
    fleet.report("baseline", installs=range(5), hour=at(-2))
    fleet.report("baseline", installs=range(5))
    cells = fleet.cells("latency_p95", since=at(-1) + timedelta(minutes=20))
    assert [(cell.hour, cell.n) for cell in cells] == [(at(-1), 5)]


def test_another_app_cannot_speak_for_a_release(fleet: Fleet) -> None:
    model = {"name": "kws", "release": "rel_1", "arm": "candidate"}
    fleet.send(a_batch(inferences=(a_summary("x", **CRASH),), context=a_context(model=model)), app="other")
    assert fleet.cells("crash_rate") == []


def test_installs_without_an_arm_are_in_no_cell(fleet: Fleet) -> None:
    fleet.report("none", **CRASH)
    assert fleet.cells("crash_rate") == []


def test_where_it_got_worse_is_told_by_cohort(fleet: Fleet) -> None:
    fleet.report("candidate", installs=range(4), **CRASH)
    fleet.report("candidate", installs=[1], hour=at(-2))
    fleet.report("candidate", installs=range(4, 9), context={"soc": "Tensor G2"})
    fleet.report("baseline", installs=range(3))

    assert fleet.cohorts("crash_rate", "chipset") == {
        ("Helio G35", "baseline"): (3, 0, 3),
        ("Helio G35", "candidate"): (5, 4, 4),
        ("Tensor G2", "candidate"): (5, 0, 5),
    }


def test_where_latency_and_ratings_got_worse_is_told_by_cohort(fleet: Fleet) -> None:
    fleet.rate("candidate", 1, 2)
    fleet.report("baseline", installs=range(5))
    fleet.report("candidate", latency_ms={"scheme": "log2x4", "buckets": {"40": 9}})

    assert fleet.cohorts("csat", "platform") == {("android", "candidate"): (2, 3, 2)}
    assert fleet.cohorts("latency_p95", "platform") == {
        ("android", "baseline"): (5, 0, 5),
        ("android", "candidate"): (1, 1, 1),
    }


def test_an_unknown_metric_is_told(fleet: Fleet) -> None:
    with pytest.raises(InvalidInputError, match="crash_rate"):
        fleet.cohorts("crashes", "platform")
