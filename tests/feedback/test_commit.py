from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from feedback.commit import GroupCommit, OverloadedError, RefusedRowError


class Memory:
    """A sink that can be held at the door, and refuses what it is told to."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.stored: set[str] = set()
        self.refuses: set[str] = set()
        self.error: Exception | None = None
        self.entered = threading.Event()
        self.inside = threading.Semaphore(0)
        self.door = threading.Event()
        self.door.set()

    def commit(self, rows: Sequence[str]) -> list[bool]:
        self.entered.set()
        self.inside.release()
        assert self.door.wait(10)
        if self.error:
            raise self.error
        if self.refuses & set(rows):
            raise RefusedRowError
        self.groups.append(list(rows))
        is_new = [row not in self.stored for row in rows]
        self.stored |= set(rows)
        return is_new

    def are_inside(self, groups: int) -> None:
        for _ in range(groups):
            assert self.inside.acquire(timeout=10)


class Caller(threading.Thread):
    def __init__(self, commits: GroupCommit[str], *rows: str) -> None:
        super().__init__(daemon=True)
        self.commits, self.rows = commits, rows
        self.outcomes: list[str] = []
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.outcomes = list(self.commits.submit(self.rows))
        except Exception as error:
            self.error = error


def waiting(commits: GroupCommit[str], rows: int) -> None:
    """Wait until so many rows have joined the queue."""
    joined = threading.Event()
    for _ in range(1000):
        if commits._waiting_rows >= rows:
            return
        joined.wait(0.005)
    raise AssertionError("they never joined")


def test_rows_that_come_during_a_commit_are_committed_together() -> None:
    sink = Memory()
    commits: GroupCommit[str] = GroupCommit(sink)
    sink.door.clear()
    first = Caller(commits, "a")
    assert sink.entered.wait(10)
    others = [Caller(commits, name, name.upper()) for name in "bcd"]
    waiting(commits, 6)

    sink.door.set()
    for caller in (first, *others):
        caller.join(10)

    assert len(sink.groups) == 2
    assert sink.groups[0] == ["a"]
    assert sorted(sink.groups[1]) == ["B", "C", "D", "b", "c", "d"]
    assert [caller.outcomes for caller in others] == [["accepted", "accepted"]] * 3


def test_a_row_that_is_there_already_is_a_duplicate() -> None:
    commits: GroupCommit[str] = GroupCommit(Memory())
    assert commits.submit(["a"]) == ["accepted"]
    assert commits.submit(["a", "b"]) == ["duplicate", "accepted"]


def test_a_refused_row_is_found_and_costs_no_other() -> None:
    sink = Memory()
    sink.refuses = {"c", "f"}
    outcomes = GroupCommit(sink).submit(list("abcdefg"))

    assert outcomes == ["accepted", "accepted", "refused", "accepted", "accepted", "refused", "accepted"]
    assert sink.stored == set("abdeg")


def test_a_full_queue_turns_away_and_says_when_to_come_back() -> None:
    sink = Memory()
    commits: GroupCommit[str] = GroupCommit(sink, capacity_rows=2)
    sink.door.clear()
    leader = Caller(commits, "a")
    assert sink.entered.wait(10)
    follower = Caller(commits, "b", "c")
    waiting(commits, 2)

    with pytest.raises(OverloadedError) as caught:
        commits.submit(["d"])
    sink.door.set()
    leader.join(10)
    follower.join(10)

    assert caught.value.retry_after_s >= 1
    assert "d" not in sink.stored
    assert follower.outcomes == ["accepted", "accepted"]


def test_a_batch_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    assert GroupCommit(Memory(), capacity_rows=2).submit(list("abcde")) == ["accepted"] * 5


def test_when_a_commit_fails_everybody_hears_of_it_and_the_next_one_works() -> None:
    sink = Memory()
    commits: GroupCommit[str] = GroupCommit(sink)
    sink.error = OverloadedError("The database cannot be reached.", retry_after_s=5)
    sink.door.clear()
    callers = [Caller(commits, "a")]
    assert sink.entered.wait(10)
    callers += [Caller(commits, "b"), Caller(commits, "c")]
    waiting(commits, 2)
    sink.door.set()
    for caller in callers:
        caller.join(10)

    assert all(isinstance(caller.error, OverloadedError) for caller in callers)
    sink.error = None
    assert commits.submit(["a"]) == ["accepted"]


def test_many_threads_lose_nothing_and_double_nothing() -> None:
    sink = Memory()
    commits: GroupCommit[str] = GroupCommit(sink, group_rows=7)
    callers = [Caller(commits, f"{n}", f"{n % 20}-shared") for n in range(60)]
    for caller in callers:
        caller.join(20)

    stored = [row for group in sink.groups for row in group]
    assert {outcome for caller in callers for outcome in caller.outcomes[:1]} == {"accepted"}
    assert sum(caller.outcomes[1] == "accepted" for caller in callers) == 20
    assert len(stored) == 120
    assert all(len(group) <= 7 for group in sink.groups)


def test_two_lanes_commit_two_groups_at_once_and_a_third_waits() -> None:
    sink = Memory()
    commits: GroupCommit[str] = GroupCommit(sink, lanes=2)
    sink.door.clear()
    leaders = [Caller(commits, name) for name in "ab"]
    sink.are_inside(2)
    third = Caller(commits, "c")
    waiting(commits, 1)

    sink.door.set()
    for caller in (*leaders, third):
        caller.join(10)

    assert sorted(sink.groups) == [["a"], ["b"], ["c"]]
    assert third.outcomes == ["accepted"]


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_many_threads_in_several_lanes_lose_nothing(lanes: int) -> None:
    sink = Memory()
    commits: GroupCommit[str] = GroupCommit(sink, lanes=lanes, group_rows=5)
    callers = [Caller(commits, *(f"{n}-{part}" for part in range(3))) for n in range(100)]
    for caller in callers:
        caller.join(20)

    assert sum(len(group) for group in sink.groups) == len(sink.stored) == 300
    assert all(caller.outcomes == ["accepted"] * 3 for caller in callers)


def test_nothing_to_store_needs_no_commit() -> None:
    sink = Memory()
    assert GroupCommit(sink).submit([]) == []
    assert sink.groups == []
