"""The log2x4 latency histogram."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.sketches import quantile_bucket

COUNTS = st.dictionaries(st.integers(-20, 80), st.integers(1, 30), min_size=1, max_size=12)


@given(counts=COUNTS, q=st.floats(0.01, 1))
def test_the_quantile_is_that_of_the_sorted_observations(counts: dict[int, int], q: float) -> None:
    observed = sorted(bucket for bucket, n in counts.items() for _ in range(n))

    assert quantile_bucket(counts, q) == observed[max(1, math.ceil(q * len(observed))) - 1]


@pytest.mark.parametrize(("q", "bucket"), [(0.5, 21), (0.95, 23)])
def test_the_example_of_the_collector_has_its_quantiles(q: float, bucket: int) -> None:
    assert quantile_bucket({20: 31, 21: 180, 22: 150, 23: 51}, q) == bucket


@pytest.mark.parametrize("counts", [{}, {3: 0}])
def test_nothing_has_no_quantile(counts: dict[int, int]) -> None:
    assert quantile_bucket(counts, 0.95) is None
