"""Ratios of latencies, with intervals that do not claim what noise does."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from optimize import benchmark, runner
from optimize.benchmark import Benchmark, latency, ratio
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


def test_facts_make_the_same_benchmark_again() -> None:
    made = Benchmark(
        sha256="ab", size_bytes=2, gzip_bytes=1, latency=latency([5]), load_ms=1.0, memory_bytes=3, macs=4, parameters=5
    )

    assert benchmark.read_benchmark(asdict(made)) == made


def test_a_real_identical_copy_is_never_called_faster(tiny: Fixture) -> None:
    for _ in range(3):
        outcome = runner.run("clock", {"model": tiny.model, "variant": tiny.model, "eval.npz": tiny.evaluation})

        assert isinstance(outcome, Finished)
        taken = outcome.result["times"]
        assert not ratio(taken["before"], taken["after"], taken["copy"]).is_faster


def test_a_fresh_process_tells_load_time_and_memory(tiny: Fixture) -> None:
    outcome = runner.run("weigh", {"model": tiny.model}, {"which": "model"})

    assert isinstance(outcome, Finished)
    assert 0 < outcome.result["load_ms"] < 1000
    assert 0 < outcome.result["memory_bytes"] < 200_000_000
    assert outcome.result["macs"] == 36 * 12 * 9 + 16 * 108 + 5 * 16
