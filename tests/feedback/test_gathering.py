from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from feedback.commit import GROUP_ROWS, GroupCommit, Outcome, OverloadedError
from feedback.gathering import Gathering
from tests.feedback.test_commit import Memory


async def at_once(commits: GroupCommit[str], *requests: Sequence[str]) -> list[list[Outcome]]:
    gathering = Gathering(commits)
    return list(await asyncio.gather(*(gathering.commit(rows) for rows in requests)))


def test_what_comes_at_once_is_stored_together_and_each_hears_of_its_own() -> None:
    sink = Memory()
    sink.stored = {"c"}

    told = asyncio.run(at_once(GroupCommit(sink), ["a", "b"], ["c"], [], ["d"]))

    assert told == [["accepted", "accepted"], ["duplicate"], [], ["accepted"]]
    assert sink.groups == [["a", "b", "c", "d"]]


def test_no_group_is_larger_than_groups_are_unless_one_request_is() -> None:
    sink = Memory()
    large = [f"l{number}" for number in range(GROUP_ROWS + 1)]

    told = asyncio.run(at_once(GroupCommit(sink), ["a"], large, ["b"]))

    assert [len(each) for each in told] == [1, len(large), 1]
    assert [group[0] for group in sink.groups] == ["a", "l0", "b"]


def test_a_slow_disk_holds_up_the_loop_no_longer_than_a_moment() -> None:
    sink = Memory()
    sink.door.clear()

    async def meanwhile() -> list[Outcome]:
        waits = asyncio.ensure_future(Gathering(GroupCommit(sink)).commit(["a"]))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waits.done()
        sink.door.set()
        return await waits

    assert asyncio.run(meanwhile()) == ["accepted"]


def test_a_phone_that_left_keeps_nothing_from_the_others() -> None:
    sink = Memory()

    async def one_leaves(gathering: Gathering[str]) -> list[Outcome]:
        gone, stays = (asyncio.ensure_future(gathering.commit([row])) for row in ("gone", "stays"))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(one_leaves(Gathering(GroupCommit(sink)))) == ["accepted"]
    assert sink.groups == [["gone", "stays"]]


async def failing(work: Awaitable[object]) -> type[BaseException] | None:
    try:
        await work
    except Exception as error:
        return type(error)
    return None


@pytest.mark.parametrize("error", [OverloadedError("The database is away.", retry_after_s=5), ValueError()])
def test_when_a_commit_fails_everybody_hears_of_it_and_the_next_one_works(error: Exception) -> None:
    sink = Memory()
    sink.error = error

    async def twice(gathering: Gathering[str]) -> list[object]:
        failed = await asyncio.gather(*(failing(gathering.commit([row])) for row in "ab"))
        sink.error = None
        return [*failed, await gathering.commit(["c"])]

    assert asyncio.run(twice(Gathering(GroupCommit(sink)))) == [type(error), type(error), ["accepted"]]


def test_a_full_queue_turns_away_those_that_find_it_full_and_nobody_else() -> None:
    sink = Memory()
    sink.door.clear()

    async def rush(gathering: Gathering[str]) -> list[object]:
        first = asyncio.ensure_future(gathering.commit(["a"]))
        await asyncio.sleep(0.01)
        second = asyncio.ensure_future(gathering.commit(["b", "c"]))
        await asyncio.sleep(0.01)
        turned_away = await failing(gathering.commit(["d"]))
        sink.door.set()
        return [await first, await second, turned_away]

    told = asyncio.run(rush(Gathering(GroupCommit(sink, capacity_rows=2))))
    assert told == [["accepted"], ["accepted", "accepted"], OverloadedError]
    assert sink.stored == {"a", "b", "c"}


def test_a_rush_of_requests_loses_nothing_and_doubles_nothing() -> None:
    sink = Memory()

    async def phone(gathering: Gathering[str], name: int) -> None:
        for number in range(20):
            assert await gathering.commit([f"{name}-{number}"]) == ["accepted"]

    async def phones() -> None:
        gathering = Gathering(GroupCommit(sink))
        await asyncio.gather(*(phone(gathering, name) for name in range(50)))

    asyncio.run(phones())
    stored = [row for group in sink.groups for row in group]
    assert len(stored) == len(set(stored)) == 1000
    assert len(sink.groups) < 200  # they went over together
