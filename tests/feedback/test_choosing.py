"""Shares of choices: with intervals, computed back from randomized answers, and never of a few people."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from core.db import Databases
from core.privacy import pseudonymize
from core.settings import Settings
from feedback import store
from feedback.choosing import Chosen, chosen
from feedback.ingest import Collector
from feedback.store import StoredPoll
from sandbox.answering import randomize
from tests.builders import T0, at
from tests.feedback.sending import a_batch, a_context, a_poll, a_running_poll, an_answer

WHY: dict[str, Any] = {
    "id": "q_why",
    "type": "multiple_choice",
    "question": "What went wrong?",
    "choices": [{"id": "slow", "label": "Too slow"}, {"id": "wrong", "label": "Wrong word"}],
}


class Poll:
    def __init__(self, databases: Databases, settings: Settings, question: dict[str, Any]) -> None:
        self.databases = databases
        self._question = question
        self._settings = settings
        self._collector = Collector(databases, settings)
        self._people = 0
        with databases.control.begin() as session:
            self._poll: StoredPoll = a_running_poll(session, questions=[question])

    def ask_with(self, epsilon: float | None) -> None:
        """Push the next version, whose answers phones randomize so."""
        plain = {name: part for name, part in self._question.items() if name != "privacy"}
        self._question = plain | ({"privacy": {"mechanism": "k_rr", "epsilon": epsilon}} if epsilon else {})
        with self.databases.control.begin() as session:
            self._poll = store.save_poll(
                session, a_poll(questions=[self._question]), app="demo", model="kws", by="U0DANA", now=T0
            )
        self._collector = Collector(self.databases, self._settings)

    def answer(self, *values: str | list[str], hours: float = -1) -> None:
        for value in values:
            self._people += 1
            given = {"question": "q_why", "value": value, **self._question.get("privacy", {})}
            version = self._poll.poll.version
            event = an_answer(f"e{self._people}", at=at(hours), answers=[given], poll_version=version)
            batch = a_batch(event, context=a_context(install=f"install-{self._people}"), sent_at=None)
            now = max(T0, at(hours))
            assert self._collector.accept_batch(json.dumps(batch).encode(), app="demo", now=now).accepted == 1

    def chosen(self, now: datetime = T0) -> Chosen:
        (found,) = chosen(self.databases, self._poll, app="demo", minimum=20, now=now)
        return found


@pytest.fixture
def poll(either: Databases, settings: Settings) -> Poll:
    return Poll(either, settings, WHY)


def shares(found: Chosen) -> dict[str, float]:
    return {each.choice: round(each.share.value, 2) for each in found.shares}


def test_each_choice_has_its_share_and_interval(poll: Poll) -> None:
    poll.answer(*[["slow"]] * 20, *[["slow", "wrong"]] * 10, *[["wrong"]] * 10)

    found = poll.chosen()

    assert shares(found) == {"slow": 0.75, "wrong": 0.5}
    assert found.n == 40
    assert all(each.share.low < each.share.value < each.share.high for each in found.shares)


def test_of_too_few_people_nothing_is_told(poll: Poll) -> None:
    poll.answer(*[["slow"]] * 19)

    assert poll.chosen().shares == ()


def test_the_few_who_answered_since_it_was_asked_are_not_told(poll: Poll) -> None:
    poll.answer(*[["slow"]] * 30)
    first = poll.chosen()
    poll.answer(["wrong"], ["wrong"], hours=2)

    assert poll.chosen(now=at(3)) == first


def test_randomized_choices_are_computed_back(either: Databases, settings: Settings) -> None:
    question = {**WHY, "privacy": {"mechanism": "k_rr", "epsilon": 4.0}}
    poll, rng = Poll(either, settings, question), np.random.default_rng(3)
    truth = [["slow"]] * 240 + [["wrong"]] * 60
    poll.answer(*(randomize(question, value, list(rng.random(2))) for value in truth))

    found = {each.choice: each.share for each in poll.chosen().shares}

    assert found["slow"].low < 0.8 < found["slow"].high
    assert found["wrong"].low < 0.2 < found["wrong"].high
    assert found["slow"].high - found["slow"].low > 0.05


ONE: dict[str, Any] = {**WHY, "type": "single_choice", "privacy": {"mechanism": "k_rr", "epsilon": 1.0}}


def test_what_one_person_answered_after_the_coin_changed_is_not_told(either: Databases, settings: Settings) -> None:
    poll = Poll(either, settings, ONE)
    poll.answer(*["slow"] * 200, *["wrong"] * 100)
    assert poll.chosen().n == 300

    poll.ask_with(epsilon=2.0)
    poll.answer("wrong", hours=0.5)
    found = poll.chosen(now=at(1))

    assert (found.shares, found.n, found.left_out) == ((), 0, 300)


def test_a_coin_of_before_does_not_tell_again_what_only_a_few_have_answered(
    either: Databases, settings: Settings
) -> None:
    poll = Poll(either, settings, ONE)
    poll.answer(*["slow"] * 30)
    poll.ask_with(epsilon=2.0)
    poll.answer("wrong", hours=-0.5)
    poll.ask_with(epsilon=1.0)
    assert poll.chosen().n == 30

    poll.ask_with(epsilon=2.0)

    assert poll.chosen().shares == ()


def test_those_who_answered_with_the_new_coin_are_told_once_they_are_enough(
    either: Databases, settings: Settings
) -> None:
    poll = Poll(either, settings, ONE)
    poll.answer(*["slow"] * 30)
    poll.ask_with(epsilon=2.0)
    poll.answer(*["wrong"] * 20, hours=-0.5)

    found = poll.chosen()

    assert (found.n, found.left_out) == (20, 30)
    assert {each.choice: each.share.value for each in found.shares} == {"slow": 0.0, "wrong": 1.0}


def test_what_was_told_is_not_told_again_when_too_few_are_left(poll: Poll, settings: Settings) -> None:
    poll.answer(*[["slow"]] * 20)
    assert poll.chosen().n == 20
    with poll.databases.ingest.begin() as session:
        assert store.erase_install(session, app="demo", install=pseudonymize("install-1", settings.hash_key))

    assert poll.chosen().shares == ()
