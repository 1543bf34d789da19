"""Diaries are what rows of summaries are, whatever happens to those; cells and looks count the same from either."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.arms import ARMS
from core.db import Databases
from core.privacy import pseudonymize
from core.settings import Settings
from feedback import diaries, store
from feedback.diaries import Entry, Place, Told
from feedback.ingest import Collector
from feedback.responses import context_id
from feedback.telemetry import HARMS
from tests.builders import T0, at
from tests.feedback import recount_runs
from tests.feedback.house import MANY, House
from tests.feedback.sending import a_batch, a_context, a_summary

INSTALLS = ("install-1", "install-2")
# T0 is the 16th of a month: thirty days back lie in two months. Few hours, so that summaries meet.
HOURS = st.sampled_from((-24 * 30, -24 * 16, -24 * 15 - 9, -2, -1, -1))
METRICS = (*HARMS, "latency_p95")


@st.composite
def told(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """A summary and the context it is told in, as a batch: of few installs, devices and hours."""
    more: dict[str, Any] = {"errors": {name: draw(st.integers(0, 1)) for name in ("crash", "timeout", "input_invalid")}}
    more["latency_ms"] = draw(st.none() | st.builds(
        lambda bucket: {"scheme": "log2x4", "buckets": {str(bucket): 9}}, st.integers(-3, 30)
    ))  # fmt: skip
    more["battery_pct"] = draw(st.none() | st.sampled_from([0.0, 1.26, 99.9, 1e15]))
    more["confidence"] = draw(st.none() | st.just({"edges": [0, 0.5, 1], "counts": [1, draw(st.integers(0, 9))]}))
    if draw(st.booleans()):
        more["accelerator"] = {"requested": "nnapi", "used": draw(st.sampled_from(["cpu", "nnapi"]))}
    install = draw(st.sampled_from(INSTALLS))
    arm = draw(st.sampled_from(["candidate", "candidate", "baseline", "none"]))
    model = {"name": "kws", "version": draw(st.sampled_from(["1.4.0", "1.3.2"])), "release": "rel_1", "arm": arm}
    facts = {"device.class": draw(st.sampled_from(["low", "low", "high"])), "soc": draw(st.sampled_from(["A", "B"]))}
    context = a_context(install=install, model=model, **facts)
    return a_batch(inferences=(a_summary(f"i{number}", at=at(draw(HOURS)), **more),), context=context)


HISTORY = st.integers(1, 25).flatmap(lambda length: st.tuples(*(told(number) for number in range(length))))


class DiaryHouse(House):
    def diaries(self) -> Any:
        return self.ask(recount_runs.diaries)


@pytest.fixture
def house(either: Databases, settings: Settings) -> DiaryHouse:
    return DiaryHouse(either, settings)


@MANY
@given(history=HISTORY, shuffler=st.randoms(use_true_random=False))
def test_replayed_shuffled_and_folded_in_other_portions_diaries_and_cells_are_the_same(
    house: DiaryHouse, history: Any, shuffler: random.Random
) -> None:
    house.play(history)
    in_order = house.diaries(), house.ask(recount_runs.cells)
    again = [*history, *history]
    shuffler.shuffle(again)

    house.play(again, fold_rows=shuffler.randint(1, 20))

    assert (house.diaries(), house.ask(recount_runs.cells)) == in_order
    assert house.diaries() == house.ask(recount_runs.diaries_anew)


@MANY
@given(history=HISTORY, gone=st.sampled_from(INSTALLS), days=st.integers(1, 31))
def test_what_is_erased_forgotten_or_renamed_is_so_in_diaries(
    house: DiaryHouse, settings: Settings, history: Any, gone: str, days: int
) -> None:
    house.play(history)
    install, ingest = pseudonymize(gone, settings.hash_key), house.databases.ingest

    with ingest.begin() as session:
        store.erase_install(session, app="demo", install=install)
    assert house.diaries() == house.ask(recount_runs.diaries_anew)
    assert install not in {row[3] for row in house.diaries()}

    store.forget(ingest, now=T0, retention_days=days, rows=2)
    assert house.diaries() == house.ask(recount_runs.diaries_anew)

    store.renew_pseudonyms(ingest, b"\n".join([b"another hash key for tests", settings.hash_key]))
    assert house.diaries() == house.ask(recount_runs.diaries_anew)
    assert all(row[3].startswith("2-") for row in house.diaries())


@MANY
@given(history=HISTORY, metric=st.sampled_from(METRICS))
def test_whatever_is_asked_diaries_answer_as_rows_do(house: DiaryHouse, history: Any, metric: str) -> None:
    house.play(history)

    leaves: Counter[tuple[Any, ...]] = Counter()
    diaries = house.ask(lambda session: store.diaries(session, app="demo", release="rel_1"))
    for each in house.ask(lambda one: store.arm_leaves(one, diaries, app="demo", release="rel_1", metrics={metric})):
        columns = (column.tolist() for column in (each.device, each.arm, each.hour, each.bucket, each.n))
        for device, arm, hour, bucket, n in zip(*columns, strict=True):
            leaves[context_id(each.devices[device]), ARMS[arm], each.hours[hour], bucket] += n
    assert leaves == house.ask(recount_runs.leaves, metric)

    sums = house.ask(lambda one: store.install_sums(one, app="demo", release="rel_1", metrics=(metric,)))[metric]
    told_sums = Counter((context_id(device), arm, int(n), int(total)) for device, arm, n, total in sums)
    assert told_sums == house.ask(recount_runs.sums, metric)

    came: Counter[tuple[Any, ...]] = Counter()
    for one in store.arrivals(diaries, version="1.4.0"):
        key = one.arm, one.hour, context_id(one.device)
        came += Counter({(*key, True): one.lost, (*key, False): one.installs - one.lost})
    assert came == house.ask(recount_runs.arrivals, "1.4.0")

    since = at(-24 * 16) + timedelta(minutes=20)
    seen: Counter[str] = Counter()
    for some in store.seen_since(diaries, since):
        seen[some.arm] += some.installs
    assert seen == house.ask(recount_runs.seen_since, at(-24 * 16))


def test_an_install_that_was_known_by_two_names_has_one_diary_with_the_worst_of_both(
    house: DiaryHouse, settings: Settings
) -> None:
    model = {"name": "kws", "version": "1.4.0", "release": "rel_1", "arm": "candidate"}
    keys = b"\n".join([b"another hash key for tests", settings.hash_key])
    newer = Collector(house.databases, Settings.from_env({
        "MUSTER_SECRET_KEY": "x" * 32, "MUSTER_HASH_KEY": keys.decode(),
        "MUSTER_DATABASE_URL": settings.database_url, "MUSTER_INGEST_URL": settings.ingest_database_url,
    }))  # fmt: skip
    house.play([])
    for collector, run in (
        (house.collector, a_summary("a", at=at(-2))), (house.collector, a_summary("b", errors={"crash": 1})),
        (newer, a_summary("c", errors={"timeout": 1})),
    ):  # fmt: skip
        batch = a_batch(inferences=(run,), context=a_context(model=model))
        assert collector.accept_batch(json.dumps(batch).encode(), app="demo", now=T0).rejected == 0
    store.catch_up(house.databases.ingest)
    assert len(house.diaries()) == 2

    store.renew_pseudonyms(house.databases.ingest, keys)

    assert len(house.diaries()) == 1
    assert house.diaries() == house.ask(recount_runs.diaries_anew)


def test_a_phone_that_was_on_two_accelerators_in_an_hour_counts_once_in_its_stratum(house: DiaryHouse) -> None:
    model = {"name": "kws", "version": "1.4.0", "release": "rel_1", "arm": "candidate"}
    runs = [a_summary("a", errors={"crash": 1}, accelerator="nnapi"), a_summary("b", accelerator="cpu")]
    house.play([a_batch(inferences=(run,), context=a_context(model=model)) for run in runs])

    with house.databases.ingest() as session:
        cells = store.arm_cells(session, app="demo", release="rel_1")
        told = store.diaries(session, app="demo", release="rel_1")
        (leaves,) = store.arm_leaves(session, told, app="demo", release="rel_1", metrics={"crash_rate"})
    (cell,) = (each for each in cells if each.metric == "crash_rate")
    assert (cell.n, cell.total) == (1, 1)
    assert sorted(zip(leaves.bucket.tolist(), leaves.n.tolist(), strict=True)) == [(0, 1), (1, 1)]


PLACE = Place("demo", "rel_1", 202611, "one", "candidate")


@given(st.lists(st.tuples(st.integers(0, 743), st.integers(0, 15), st.integers(-999, 999)), min_size=1, max_size=20))
def test_in_whatever_portions_a_diary_is_written_it_is_the_same(told: list[tuple[int, int, int]]) -> None:
    entries = [Entry(PLACE, "c", "android/low", hour, Told(harms, p95, 50, 0)) for hour, harms, p95 in told]
    at_once, changes = diaries.changed(None, entries)
    one_by_one: bytes | None = None
    for entry in reversed(entries):
        one_by_one, _ = diaries.changed(one_by_one, [entry])

    assert one_by_one == at_once
    assert [change.hour for change in changes] == sorted({change.hour for change in changes})
    assert diaries.changed(at_once, entries) == (at_once, [])
