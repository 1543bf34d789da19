from __future__ import annotations

import asyncio

import pytest

from core.deadlines import Deadlines

FOREVER_S = 60.0


def test_what_is_there_in_time_is_returned() -> None:
    assert asyncio.run(Deadlines(0.01).wait(asyncio.sleep(0, "body"), FOREVER_S)) == "body"


def test_what_takes_too_long_is_ended_and_others_wait_on() -> None:
    async def two() -> list[object]:
        deadlines = Deadlines(0.01)
        ends = asyncio.Event()
        late, later = (asyncio.ensure_future(deadlines.wait(ends.wait(), s)) for s in (0.02, FOREVER_S))
        await asyncio.wait([late])
        ends.set()
        return [type(late.exception()), await later]

    assert asyncio.run(two()) == [TimeoutError, True]


def test_a_task_goes_on_after_its_wait_was_ended() -> None:
    async def again() -> list[object]:
        deadlines = Deadlines(0.01)
        with pytest.raises(TimeoutError):
            await deadlines.wait(asyncio.Event().wait(), 0.0)
        await asyncio.sleep(0)
        return [await deadlines.wait(asyncio.sleep(0, "next"), FOREVER_S)]

    assert asyncio.run(again()) == ["next"]


def test_who_is_canceled_by_somebody_else_hears_that() -> None:
    async def canceled() -> bool:
        waits = asyncio.ensure_future(Deadlines(0.01).wait(asyncio.Event().wait(), FOREVER_S))
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.wait([waits])
        return waits.cancelled()

    assert asyncio.run(canceled())
