"""A key may ask steadily, not too fast, and is told how long to wait in whole seconds."""

from __future__ import annotations

from core.limits import RateLimit


class Stopwatch:
    """Seconds that stand until they are moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_second_of_requests_may_come_at_once_and_then_at_the_rate() -> None:
    seconds = Stopwatch()
    limit = RateLimit(2.0, seconds=seconds)

    assert [limit.wait_s("key_1") for _ in range(3)] == [0, 0, 1]
    seconds.now = 0.5
    assert [limit.wait_s("key_1") for _ in range(2)] == [0, 1]


def test_a_burst_of_two_seconds_may_come_at_once() -> None:
    seconds = Stopwatch()
    limit = RateLimit(2.0, burst_s=2.0, seconds=seconds)

    assert [limit.wait_s("key_1") for _ in range(5)] == [0, 0, 0, 0, 1]
    seconds.now = 0.4
    assert limit.wait_s("key_1") == 1
    seconds.now = 0.6
    assert limit.wait_s("key_1") == 0


def test_one_key_does_not_use_up_anothers_share() -> None:
    limit = RateLimit(1.0, seconds=Stopwatch())

    assert [limit.wait_s(key) for key in ("key_1", "key_1", "key_2")] == [0, 1, 0]


def test_a_slow_rate_says_the_whole_wait() -> None:
    limit = RateLimit(0.1, seconds=Stopwatch())

    assert [limit.wait_s("key_1") for _ in range(2)] == [0, 10]
