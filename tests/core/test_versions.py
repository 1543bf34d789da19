"""Versions in order."""

import itertools

import pytest

from core.versions import compare, version_key

# The order given at https://semver.org/#spec-item-11, followed by numbers longer than three parts.
IN_ORDER = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.0.1",
    "2.0.0",
    "2.1.0",
    "2.1.1",
    "10",
]


@pytest.mark.parametrize(("before", "after"), list(itertools.combinations(IN_ORDER, 2)))
def test_versions_stand_in_the_order_of_the_standard(before: str, after: str) -> None:
    assert compare(before, after) == -1
    assert compare(after, before) == 1


@pytest.mark.parametrize(("left", "right"), [("14", "14.0.0"), ("v5.4", "5.4.0"), ("1.0+linux", "1.0.0"), (" 3 ", "3")])
def test_missing_numbers_and_build_metadata_make_no_difference(left: str, right: str) -> None:
    assert compare(left, right) == 0


@pytest.mark.parametrize("text", ["", "latest", "1..2", "1.2-", "-1", "1.4.0rc1", "1.2.3.4.5.6.7"])
def test_what_is_not_a_version_has_no_place_in_the_order(text: str) -> None:
    assert version_key(text) is None
    assert compare(text, "1.0") is None
