from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from feedback.telemetry import hour_of, quantile_bucket
from tests.builders import at

counts = st.dictionaries(st.integers(-20, 80), st.integers(1, 30), min_size=1, max_size=12)


@given(buckets=counts, q=st.floats(0.01, 1))
def test_the_quantile_is_that_of_the_sorted_observations(buckets: dict[int, int], q: float) -> None:
    observed = sorted(bucket for bucket, n in buckets.items() for _ in range(n))
    assert quantile_bucket(buckets, q) == observed[max(1, math.ceil(q * len(observed))) - 1]


def test_nothing_has_no_quantile() -> None:
    assert quantile_bucket({}, 0.95) is None


def test_an_hour_begins_on_the_hour() -> None:
    assert hour_of(at(1.99)) == at(1)
