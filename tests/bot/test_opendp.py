"""OpenDP's own noise: runs where the extra `dp` is installed (`make test-dp`)."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest

from bot import ledger
from bot.noise import OpenDp, open_noise
from core.db import Databases
from feedback.noised import Budget, Charge, Query, off_by, spread
from tests.builders import T0, some_settings

if importlib.util.find_spec("opendp") is None:
    pytest.skip("the extra dp is not installed; `make test-dp`", allow_module_level=True)

CELLS = 4_000


@pytest.mark.parametrize(("bound", "epsilon"), [(1, 0.5), (1, 2.0), (5, 0.5)])
def test_the_scale_is_what_the_price_and_the_bound_ask_for(bound: int, epsilon: float) -> None:
    assert OpenDp().add((100,), bound=bound, epsilon=epsilon).scale == pytest.approx(bound / epsilon, rel=1e-6)


@pytest.mark.parametrize(("bound", "epsilon"), [(1, 0.5), (5, 0.5)])
def test_its_noise_is_as_wide_as_the_digest_says(bound: int, epsilon: float) -> None:
    told = OpenDp().add((10_000,) * CELLS, bound=bound, epsilon=epsilon)

    off = [count - 10_000 for count in told.counts]
    said = spread(told.scale)
    # Its randomness cannot be seeded: the limits are six standard errors, so chance breaks this once in 10^8 runs.
    assert abs(sum(off) / CELLS) < 6 * said / math.sqrt(CELLS)
    variance = sum(each * each for each in off) / CELLS
    assert abs(variance / said**2 - 1) < 6 * math.sqrt(5 / CELLS)  # the kurtosis of a Laplace is 6
    assert sum(abs(each) > off_by(told.scale) for each in off) / CELLS < 0.05 + 6 * math.sqrt(0.05 * 0.95 / CELLS)


def test_no_count_of_people_is_below_zero() -> None:
    assert min(OpenDp().add((0,) * 200, bound=1, epsilon=0.5).counts) == 0


def test_it_is_there_when_a_budget_is_set(tmp_path: Path) -> None:
    assert isinstance(open_noise(some_settings(tmp_path, dp_epsilon_per_week=4.0)), OpenDp)
    assert open_noise(some_settings(tmp_path)) is None


def test_the_ledger_keeps_what_opendp_told_and_tells_it_again(databases: Databases) -> None:
    query = Query(key="installs", cells={"reporting": 1_000, "silent": 0}, bound=1)
    budget = Budget(per_week=1.0, per_query=0.5)

    with databases.control.begin() as session:
        told, again = (
            ledger.ask(session, query, app="demo", week="2026-W47", budget=budget, source=OpenDp(), now=T0)
            for _ in range(2)
        )

    assert isinstance(told, Charge)
    assert again == told
    # A scale of 2 leaves (900, 1100) once in e^50 times.
    assert 900 < told.cells["reporting"] < 1_100
