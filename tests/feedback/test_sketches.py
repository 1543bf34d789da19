"""The log2x4 latency histogram."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.sketches import (
    HIGHEST,
    LOWEST,
    Sketch,
    bucket_of,
    edge_near,
    lower_edge_ms,
    merge,
    quantile,
    quantile_bucket,
    share_over,
    sketch,
)

LATENCIES = st.lists(st.floats(0.01, 60_000), min_size=1, max_size=60)


@given(st.floats(2**-10, 2**23))
def test_a_latency_lies_in_its_bucket(latency: float) -> None:
    bucket = bucket_of(latency)

    assert lower_edge_ms(bucket) <= latency < lower_edge_ms(bucket + 1)
    assert abs(bucket - 4 * math.log2(latency)) < 1 + 1e-9


@pytest.mark.parametrize("bucket", range(LOWEST, HIGHEST + 1))
def test_a_bucket_begins_at_its_edge(bucket: int) -> None:
    assert bucket_of(lower_edge_ms(bucket)) == bucket


@pytest.mark.parametrize(
    ("latency", "bucket"),
    [
        (1, 0),
        (32, 20),
        (63.9, 23),
        (64, 24),
        (0.5, -4),
        (0, LOWEST),
        (-3, LOWEST),
        (math.nan, LOWEST),
        (1e-9, LOWEST),
        (math.inf, HIGHEST),
        (1e12, HIGHEST),
    ],
)
def test_edges_and_oddities_have_their_bucket(latency: float, bucket: int) -> None:
    assert bucket_of(latency) == bucket


@given(st.lists(LATENCIES, min_size=1, max_size=4))
def test_merging_is_the_same_as_counting_together(parts: list[list[float]]) -> None:
    together = merge([sketch([latency for part in parts for latency in part])])

    assert merge(sketch(part) for part in parts) == together
    assert merge(sketch(part) for part in reversed(parts)) == together
    assert together.n == sum(len(part) for part in parts)


@given(LATENCIES, st.floats(0.01, 1))
def test_a_quantile_is_at_most_nine_percent_off(latencies: list[float], q: float) -> None:
    exact = sorted(latencies)[math.ceil(q * len(latencies)) - 1]

    found = quantile(sketch(latencies), q)

    assert found is not None
    assert 1 / 1.0906 <= found / exact <= 1.0906


def test_the_example_of_the_collector_has_its_quantiles() -> None:
    example = Sketch(buckets={20: 31, 21: 180, 22: 150, 23: 51})

    assert quantile_bucket(example, 0.5) == 21
    assert quantile_bucket(example, 0.95) == 23
    assert share_over(example, 53.8) == pytest.approx(51 / 412)


def test_without_latencies_there_is_no_quantile_and_no_share() -> None:
    assert quantile(Sketch(), 0.5) is None
    assert share_over(Sketch(), 50) is None


@given(LATENCIES, st.floats(1, 10_000))
def test_the_share_over_a_limit_counts_from_the_nearest_edge(latencies: list[float], limit: float) -> None:
    edge = lower_edge_ms(edge_near(limit))

    assert share_over(sketch(latencies), limit) == sum(latency >= edge for latency in latencies) / len(latencies)
    assert 1 / 1.0906 <= edge / limit <= 1.0906


@pytest.mark.parametrize("limit", [0, -1, math.inf, math.nan])
def test_a_limit_that_is_no_time_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="no limit"):
        share_over(Sketch(), limit)
