from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Sequence

import pytest

from feedback.commit import GROUP_ROWS, GroupCommit, Outcome, OverloadedError
from tests.feedback.test_commit import Caller, Memory, waiting


async def at_once(sink: Memory, *requests: Sequence[str]) -> list[list[Outcome]]:
    """Bring requests while the first one is still being stored."""
    commits: GroupCommit[str] = GroupCommit(sink)
    sink.door.clear()
    waits = [asyncio.ensure_future(commits.commit(rows)) for rows in requests]
    await asyncio.sleep(0)
    sink.door.set()
    return list(await asyncio.gather(*waits))


def test_what_comes_during_a_commit_is_stored_together_and_each_hears_of_its_own() -> None:
    sink = Memory()
    sink.stored = {"c"}

    told = asyncio.run(at_once(sink, ["first"], ["a", "b"], ["c"], [], ["d"]))

    assert told == [["accepted"], ["accepted", "accepted"], ["duplicate"], [], ["accepted"]]
    assert sink.groups == [["first"], ["a", "b", "c", "d"]]


def test_no_group_is_larger_than_groups_are_unless_one_request_is() -> None:
    sink = Memory()
    large = [f"l{number}" for number in range(GROUP_ROWS + 1)]

    told = asyncio.run(at_once(sink, ["first"], ["a"], large, ["b"]))

    assert [len(each) for each in told] == [1, 1, len(large), 1]
    assert [group[0] for group in sink.groups] == ["first", "a", "l0", "b"]


def test_in_a_rush_the_next_group_waits_a_moment_for_those_who_come_then() -> None:
    sink = Memory()
    late: list[Caller] = []
    lingered = threading.Event()

    def linger(_: float) -> None:
        late.extend(Caller(commits, row) for row in ("late", "later"))
        waiting(commits, 2)
        lingered.set()

    commits: GroupCommit[str] = GroupCommit(sink, linger=linger)

    async def rush() -> None:
        sink.door.clear()
        waits = [asyncio.ensure_future(commits.commit([row])) for row in "fabcde"]
        await asyncio.sleep(0)
        sink.door.set()
        await asyncio.gather(*waits)

    asyncio.run(rush())
    assert lingered.wait(10)
    for caller in late:
        caller.join(10)
    assert [sorted(group) for group in sink.groups] == [["f"], [*"abcde"], ["late", "later"]]


def test_a_slow_disk_holds_up_the_loop_no_longer_than_a_moment() -> None:
    sink = Memory()
    sink.door.clear()

    async def meanwhile() -> list[Outcome]:
        waits = asyncio.ensure_future(GroupCommit(sink).commit(["a"]))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waits.done()
        sink.door.set()
        return await waits

    assert asyncio.run(meanwhile()) == ["accepted"]


def test_a_phone_that_left_keeps_nothing_from_the_others() -> None:
    sink = Memory()

    async def one_leaves(commits: GroupCommit[str]) -> list[Outcome]:
        gone, stays = (asyncio.ensure_future(commits.commit([row])) for row in ("gone", "stays"))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(one_leaves(GroupCommit(sink))) == ["accepted"]
    assert sink.stored == {"gone", "stays"}


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

    async def twice(commits: GroupCommit[str]) -> list[object]:
        failed = await asyncio.gather(*(failing(commits.commit([row])) for row in "ab"))
        sink.error = None
        return [*failed, await commits.commit(["c"])]

    assert asyncio.run(twice(GroupCommit(sink))) == [type(error), type(error), ["accepted"]]


def test_a_full_queue_turns_away_those_that_find_it_full_and_nobody_else() -> None:
    sink = Memory()
    sink.door.clear()

    async def rush(commits: GroupCommit[str]) -> list[object]:
        first = asyncio.ensure_future(commits.commit(["a"]))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(commits.commit(["b", "c"]))
        await asyncio.sleep(0)
        turned_away = await failing(commits.commit(["d"]))
        sink.door.set()
        return [await first, await second, turned_away]

    told = asyncio.run(rush(GroupCommit(sink, capacity_rows=2)))
    assert told == [["accepted"], ["accepted", "accepted"], OverloadedError]
    assert sink.stored == {"a", "b", "c"}


def test_a_rush_of_requests_loses_nothing_and_doubles_nothing() -> None:
    sink = Memory()

    async def phone(commits: GroupCommit[str], name: int) -> None:
        for number in range(20):
            assert await commits.commit([f"{name}-{number}"]) == ["accepted"]

    async def phones() -> None:
        commits: GroupCommit[str] = GroupCommit(sink)
        await asyncio.gather(*(phone(commits, name) for name in range(50)))

    asyncio.run(phones())
    stored = [row for group in sink.groups for row in group]
    assert len(stored) == len(set(stored)) == 1000
