"""Switches know their types and complain of every mistake at once."""

from __future__ import annotations

import threading

import pytest

from core.errors import InvalidInputError
from sandbox.faults import SWITCHES, Faults, in_words


def test_every_fault_is_off_at_first() -> None:
    faults = Faults()

    assert not any(faults.on(name) for name in SWITCHES)


def test_a_counted_fault_is_used_up() -> None:
    faults = Faults()
    faults.set(slack_429=2)

    assert [faults.take("slack_429") for _ in range(3)] == [True, True, False]


def test_a_counted_fault_is_taken_once_by_many_threads() -> None:
    faults = Faults()
    faults.set(slack_lost=5)
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda: taken.append(faults.take("slack_lost"))) for _ in range(20)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert taken.count(True) == 5


def test_turning_switches_tells_those_who_watch() -> None:
    told: list[int] = []
    faults = Faults(lambda: told.append(1))

    faults.set(jira_down=True, jira_lag_s=30)

    assert told == [1]
    assert faults.amount("jira_lag_s") == 30.0


def test_clearing_puts_every_switch_back() -> None:
    faults = Faults()
    faults.set(slack_down=True, jira_lag_s=3.5, phones_offline=True)

    faults.clear()

    assert faults.values() == {name: switch.rest for name, switch in SWITCHES.items()}


def test_every_mistake_is_named_and_then_nothing_is_turned() -> None:
    faults = Faults()

    with pytest.raises(InvalidInputError) as raised:
        faults.set(slack_down=True, slack_dwon=True, slack_429=-1, jira_down=1, jira_429=1.5, jira_lag_s=float("nan"))

    assert [problem.path for problem in raised.value.problems] == [
        "slack_dwon", "slack_429", "jira_down", "jira_429", "jira_lag_s",
    ]  # fmt: skip
    assert not faults.on("slack_down")


def test_a_switch_is_told_in_words() -> None:
    assert in_words("jira_down", True) == "Jira answers 503"
    assert in_words("jira_down", False) == "no more: Jira answers 503"
    assert in_words("slack_429", 3) == "the next n Web API calls are answered with 429 (n = 3)"
