"""Buckets agree with the published vectors and never swap an install."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases import buckets

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "buckets.json").read_text())
PERCENTS = st.integers(1, buckets.BUCKETS).map(lambda share: share / 10_000)
BUCKETS = st.integers(0, buckets.BUCKETS - 1)


@pytest.mark.parametrize("vector", VECTORS["buckets"], ids=lambda vector: f"{vector['salt']}:{vector['install']}")
def test_buckets_agree_with_the_vectors(vector: dict[str, object]) -> None:
    assert buckets.bucket(str(vector["salt"]), str(vector["install"])) == vector["bucket"]


@pytest.mark.parametrize("vector", VECTORS["arms"], ids=lambda vector: f"{vector['bucket']} at {vector['percent']} %")
def test_arms_agree_with_the_vectors(vector: dict[str, object]) -> None:
    assert buckets.arm(int(str(vector["bucket"])), float(str(vector["percent"]))) == vector["arm"]


@given(bucket=BUCKETS, narrow=PERCENTS, wide=PERCENTS)
def test_whoever_is_in_the_candidate_arm_stays_in_when_the_share_widens(
    bucket: int, narrow: float, wide: float
) -> None:
    narrow, wide = sorted((narrow, wide))

    if buckets.arm(bucket, narrow) == "candidate":
        assert buckets.arm(bucket, wide) == "candidate"


@given(bucket=BUCKETS, narrow=PERCENTS, wide=PERCENTS)
def test_up_to_half_the_installs_nobody_moves_from_the_baseline_arm_to_the_candidate_arm(
    bucket: int, narrow: float, wide: float
) -> None:
    narrow, wide = sorted((narrow / 2, wide / 2))

    if buckets.arm(bucket, narrow) == "baseline":
        assert buckets.arm(bucket, wide) == "baseline"


@pytest.mark.parametrize("percent", [0.0001, 0.1, 1, 5, 25, 50])
def test_both_arms_are_of_the_same_size_up_to_half_the_installs(percent: float) -> None:
    share = buckets.share_of(percent)
    edges = [0, share - 1, share, 500_000, 500_000 + share - 1, 500_000 + share, 999_999]

    arms = [buckets.arm(edge, percent) for edge in edges if edge < buckets.BUCKETS]

    assert arms[0] == arms[1] == "candidate"
    assert arms[3] == arms[4] == "baseline"
    assert arms[2] == ("none" if percent < 50 else "baseline")
    assert percent == 50 or arms[5] == "none"


def test_above_half_the_baseline_arm_is_what_the_candidate_leaves() -> None:
    assert [buckets.arm(bucket, 75) for bucket in (749_999, 750_000, 999_999)] == ["candidate", "baseline", "baseline"]
    assert {buckets.arm(bucket, 100) for bucket in (0, 500_000, 999_999)} == {"candidate"}


def test_the_smallest_share_is_one_install_in_a_million() -> None:
    assert buckets.share_of(0.0001) == 1
    assert buckets.share_of(100) == buckets.BUCKETS
