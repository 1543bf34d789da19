"""Ratios of latencies, with intervals that do not claim what noise does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from optimize import runner, tasks
from optimize.benchmark import latency, ratio
from optimize.fixtures import Fixture
from optimize.runner import Finished


def times(scale: float, *, seed: int, noise: float = 0.05, sittings: int = 8) -> list[list[int]]:
    """Return 8 sittings of 30 rounds; each sitting has an offset of its own, as memory layout gives."""
    random = np.random.default_rng(seed)
    offsets = np.exp(0.01 * random.standard_normal((sittings, 1)))
    taken = 100_000 * scale * offsets * np.exp(noise * random.standard_normal((sittings, 30)))
    return [[int(nanoseconds) for nanoseconds in sitting] for sitting in taken]


def test_the_ratio_lies_in_its_interval() -> None:
    found = ratio(times(1, seed=1), times(0.8, seed=2), times(1, seed=3))

    assert found.low < 0.8 < found.high < 1
    assert found.is_faster
    assert not found.is_slower


def test_an_identical_copy_is_never_called_faster() -> None:
    """One thousand comparisons of a model with itself, under noise: not one claim."""
    claims = [
        ratio(times(1, seed=3 * k), times(1, seed=3 * k + 1), times(1, seed=3 * k + 2)).is_faster for k in range(1000)
    ]

    assert sum(claims) == 0


def test_a_drift_between_two_copies_of_the_parent_widens_the_interval() -> None:
    steady = ratio(times(1, seed=1), times(0.95, seed=2), times(1, seed=3))
    drifting = ratio(times(1, seed=1), times(0.95, seed=2), times(1.1, seed=3))

    assert steady.is_faster
    assert not drifting.is_faster


def test_one_sitting_is_not_enough() -> None:
    with pytest.raises(ValueError, match="two sittings"):
        ratio(times(1, seed=1, sittings=1), times(1, seed=2, sittings=1), times(1, seed=3, sittings=1))


def test_percentiles_are_in_milliseconds() -> None:
    found = latency([1_000_000] * 90 + [9_000_000] * 10)

    assert (found.p50_ms, found.p95_ms) == (1.0, 9.0)
    with pytest.raises(ValueError, match="no times"):
        latency([])


def test_a_real_identical_copy_is_never_called_faster(tiny: Fixture) -> None:
    for _ in range(3):
        outcome = runner.run("clock", {"model": tiny.model, "variant": tiny.model, "eval.npz": tiny.evaluation})

        assert isinstance(outcome, Finished)
        taken = outcome.result["times"]
        assert not ratio(taken["before"], taken["after"], taken["copy"]).is_faster


class Recorder:
    """A session of one row at a time, which writes down who ran on what."""

    def __init__(self, which: str, ran: list[tuple[str, float]]) -> None:
        self.which, self.ran = which, ran

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="x", shape=["batch", 1])]

    def run(self, _names: None, feed: dict[str, np.ndarray]) -> None:
        self.ran.append((self.which, float(feed["x"][0, 0])))


def test_all_three_meet_the_same_row_one_after_the_other_in_an_order_that_changes() -> None:
    ran: list[tuple[str, float]] = []
    opened = {which: Recorder(which, ran) for which in ("before", "after", "copy")}
    rows = np.arange(50, dtype=np.float32).reshape(50, 1)

    taken = tasks._sitting(opened, "x", rows, np.random.default_rng(0), 40)

    warm = 3 * len(opened)
    rounds = [ran[start : start + 3] for start in range(warm, len(ran), 3)]
    assert [len(taken[which]) for which in opened] == [40, 40, 40]
    assert all({which for which, _ in each} == set(opened) for each in rounds)
    assert all(len({row for _, row in each}) == 1 for each in rounds)
    assert len({tuple(which for which, _ in each) for each in rounds}) == 6
    assert len({each[0][1] for each in rounds}) > 10


def test_the_child_computes_on_one_core_whatever_its_parent_was_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "16")

    told = runner._environment(tmp_path, 3)

    assert {told[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")} == {"1"}


def test_a_fresh_process_tells_load_time_and_memory(tiny: Fixture) -> None:
    outcome = runner.run("weigh", {"model": tiny.model}, {"which": "model"})

    assert isinstance(outcome, Finished)
    assert 0 < outcome.result["load_ms"] < 1000
    assert 0 < outcome.result["memory_bytes"] < 200_000_000
    assert outcome.result["macs"] == 36 * 12 * 9 + 16 * 108 + 5 * 16
