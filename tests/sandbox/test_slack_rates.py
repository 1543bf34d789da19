"""A bucket of calls that refills by whichever clock is faster."""

from __future__ import annotations

from datetime import timedelta

from sandbox.slack.rates import Limit, Rates
from sandbox.virtual_clock import VirtualClock
from tests.sandbox.apps import T0, Real

LIMIT = Limit(per_s=0.5, burst=2)


def test_an_empty_bucket_says_how_long_to_wait() -> None:
    rates = Rates(VirtualClock(at=T0, rate=0), Real())

    assert [rates.take("C1", LIMIT) for _ in range(3)] == [None, None, 2]
    assert rates.take("C2", LIMIT) is None


def test_the_bucket_refills_with_real_time() -> None:
    real = Real()
    rates = Rates(VirtualClock(at=T0, rate=0), real)
    for _ in range(2):
        rates.take("C1", LIMIT)

    real.seconds += 2

    assert [rates.take("C1", LIMIT) for _ in range(2)] == [None, 2]


def test_an_accelerated_world_is_not_throttled_by_real_time() -> None:
    clock = VirtualClock(at=T0, rate=0)
    rates = Rates(clock, Real())
    for _ in range(2):
        rates.take("C1", LIMIT)

    clock.advance(timedelta(minutes=1))

    assert [rates.take("C1", LIMIT) for _ in range(3)] == [None, None, 2]
