"""A key may ask steadily, not too fast, and is told how long to wait in whole seconds."""

from __future__ import annotations

from releases.limits import RateLimit
from tests.releases.builders import Seconds


def test_a_second_of_requests_may_come_at_once_and_then_at_the_rate() -> None:
    seconds = Seconds()
    limit = RateLimit(2.0, seconds=seconds)

    assert [limit.wait_s("key_1") for _ in range(3)] == [0, 0, 1]
    seconds.now = 0.5
    assert [limit.wait_s("key_1") for _ in range(2)] == [0, 1]


def test_one_key_does_not_use_up_anothers_share() -> None:
    limit = RateLimit(1.0, seconds=Seconds())

    assert [limit.wait_s(key) for key in ("key_1", "key_1", "key_2")] == [0, 1, 0]


def test_a_slow_rate_says_the_whole_wait() -> None:
    limit = RateLimit(0.1, seconds=Seconds())

    assert [limit.wait_s("key_1") for _ in range(2)] == [0, 10]
