"""Reports remember what they told: nobody comes out by subtracting one from another, whichever way they are asked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from core import segments
from core.db import Databases
from core.settings import Settings
from feedback import reporting, store, store_shown
from feedback.ingest import Collector
from feedback.reporting import Asked
from feedback.reports import CohortReport
from feedback.scores import score, share
from feedback.store import StoredPoll
from tests.builders import T0, at
from tests.feedback.sending import a_batch, a_context, a_poll, a_running_poll, an_answer

MINIMUM = 20
WEEK = timedelta(days=7)
IPHONE: dict[str, Any] = {"os.name": "iOS", "soc": "A"}


class Room:
    """People who answer, and somebody who asks for reports."""

    def __init__(self, databases: Databases, settings: Settings) -> None:
        self.databases = databases
        with databases.control.begin() as session:
            self.poll: StoredPoll = a_running_poll(session)
        self._settings = settings
        self._collector = Collector(databases, settings)
        self._people = 0
        self._privacy: dict[str, Any] = {}

    def ask_with(self, epsilon: float | None) -> None:
        """Push the next version, whose answers phones randomize so."""
        self._privacy = {"mechanism": "k_rr", "epsilon": epsilon} if epsilon else {}
        csat: dict[str, Any] = {"id": "q_csat", "type": "csat", "question": "Right?"}
        csat |= {"privacy": self._privacy} if epsilon else {}
        with self.databases.control.begin() as session:
            pushed = a_poll(questions=[csat])
            self.poll = store.save_poll(session, pushed, app="demo", model="kws", by="U0DANA", now=T0)
        self._collector = Collector(self.databases, self._settings)

    def answer(self, people: int, *, hours: float = -1, rating: int = 4, **context: Any) -> None:
        when = at(hours)
        for _ in range(people):
            self._people += 1
            given = [{"question": "q_csat", "value": rating, **self._privacy}]
            version = self.poll.poll.version
            event = an_answer(f"e{self._people}", at=when, answers=given, poll_version=version)
            facts = a_context(install=f"install-{self._people}", **context)
            batch = a_batch(event, context=facts, sent_at=None)
            reply = self._collector.accept_batch(json.dumps(batch).encode(), app="demo", now=max(when, T0))
            assert reply.accepted == 1, reply

    def ask(self, by: str = "chipset", *, where: str = "", now: datetime = T0, since: timedelta = WEEK) -> CohortReport:
        asked = Asked(model="kws", attribute=by, since=since, where=segments.parse(where))
        return reporting.report(self.databases, self.poll, asked, app="demo", minimum=MINIMUM, now=now)

    def week(self, *, now: datetime, ends: datetime) -> CohortReport:
        asked = Asked(model="kws", attribute="chipset", since=WEEK, where=segments.EVERYONE)
        return reporting.report_until(
            self.databases, self.poll, asked, app="demo", minimum=MINIMUM, since=ends - WEEK, until=ends, now=now
        )


@pytest.fixture
def room(either: Databases, settings: Settings) -> Room:
    return Room(either, settings)


def told(report: CohortReport) -> dict[str, int]:
    everybody = {"everybody": report.overall.n} if report.overall else {}
    return everybody | {row.cohort: row.score.n for row in report.rows}


def test_over_one_table_a_small_cohort_takes_another_with_it(room: Room) -> None:
    room.answer(40, soc="A")
    room.answer(30, soc="B")
    room.answer(3, soc="C")

    assert told(room.ask()) == {"everybody": 73, "A": 40}


def test_over_filters_all_less_android_is_not_told(room: Room) -> None:
    room.answer(40, soc="A")
    room.answer(6, **IPHONE)
    room.answer(50, soc="B")

    first, second = room.ask(), room.ask(where="platform=android")

    assert told(first) == {"everybody": 96, "A": 46, "B": 50}
    assert told(second) == {"B": 50}  # A or everybody on Android, taken from all, would tell of six
    assert second.overall is None


def test_over_attributes_a_table_that_was_told_is_not_taken_apart(room: Room) -> None:
    room.answer(40, soc="A", accelerator="gpu")
    room.answer(40, soc="B", accelerator="cpu")
    room.answer(5, soc="A", accelerator="cpu")

    assert told(room.ask("chipset")) == {"everybody": 85, "A": 45, "B": 40}
    assert told(room.ask("accelerator")) == {"everybody": 85}  # gpu is A less five


def test_over_time_the_few_who_answered_since_are_not_told(room: Room) -> None:
    room.answer(40, soc="A")
    room.answer(40, soc="B")
    room.ask()
    room.answer(4, soc="A", hours=2, rating=1)

    later = room.ask(now=at(3))

    assert later.is_earlier
    assert later.until == T0
    assert told(later) == {"everybody": 80, "A": 40, "B": 40}


def test_when_enough_have_answered_since_the_report_is_of_now(room: Room) -> None:
    room.answer(40, soc="A")
    room.answer(40, soc="B")
    room.ask()
    room.answer(25, soc="A", hours=2, rating=1)

    later = room.ask(now=at(3))

    assert not later.is_earlier
    assert told(later) == {"everybody": 105, "A": 65, "B": 40}


def test_this_week_and_the_last_are_told_but_not_a_day_between_them(room: Room) -> None:
    room.answer(30, soc="A", hours=-24 * 7 - 1)
    room.answer(30, soc="A", hours=-24 * 3)
    room.answer(6, soc="A", hours=-1)

    assert told(room.ask()) == {"everybody": 36, "A": 36}
    six_days_before_today = room.ask(now=at(-24), since=timedelta(days=6))

    assert told(six_days_before_today) == {}  # the week less these days would be six people


def test_a_shorter_period_than_one_that_was_told_does_not_tell_of_the_few_before_it(room: Room) -> None:
    room.answer(40, soc="A", hours=-24 * 20)
    room.answer(1, soc="A", hours=-24 * 98)

    assert told(room.ask(since=timedelta(days=100))) == {"everybody": 41, "A": 41}
    assert told(room.ask(since=timedelta(days=30))) == {}


def test_asking_for_much_does_not_make_it_forget_what_was_told(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_shown, "MOST_GROUPS", 6)
    room.answer(40, soc="A")
    room.answer(40, soc="B")
    room.ask()
    room.answer(1, soc="A", hours=0.5)
    for minute in range(5):
        room.ask(where="soc!=C", now=at(1 + minute / 60))
        room.ask("country", where="soc!=D", now=at(1 + minute / 60))

    assert told(room.ask(now=at(2))) == {"everybody": 80, "A": 40, "B": 40}


def test_a_period_that_tells_nothing_new_is_told_as_of_another_when_a_few_have_answered_since(room: Room) -> None:
    room.answer(40, soc="A", hours=-48)
    room.ask(since=2 * WEEK)
    room.ask(now=at(0.1))
    room.answer(1, soc="A", hours=0.5)

    later = room.ask(now=at(1))

    assert (later.is_earlier, told(later)) == (True, {"everybody": 40, "A": 40})


def test_the_same_question_has_the_same_answer(room: Room) -> None:
    room.answer(40, soc="A")
    room.answer(3, soc="B")

    assert room.ask() == room.ask()


def test_a_week_that_is_previewed_and_then_composed_does_not_tell_of_its_last_few(room: Room) -> None:
    room.answer(40, soc="A", hours=-24)
    room.answer(40, soc="B", hours=-24)
    preview = room.week(now=T0, ends=at(48))
    room.answer(3, soc="B", hours=20)

    composed = room.week(now=at(50), ends=at(48))

    assert told(preview) == {"everybody": 80, "A": 40, "B": 40}
    assert told(composed) == {"A": 40}
    assert preview.until == T0


def test_what_was_told_is_forgotten_with_its_answers(room: Room) -> None:
    room.answer(40, soc="A")
    room.ask()

    with room.databases.ingest.begin() as session:
        assert store.told_groups(session, app="demo", poll="heard", since=at(-24 * 14))
        store.forget_shown(session, before=at(1))
        assert store.told_groups(session, app="demo", poll="heard", since=at(-24 * 14)) == ()


def test_another_polls_answers_are_another_matter(room: Room) -> None:
    room.answer(40, soc="A")
    room.ask()
    other = replace(room.poll, poll=replace(room.poll.poll, id="other"))

    with room.databases.ingest() as session:
        assert store.told_groups(session, app="demo", poll=other.poll.id, since=at(-24 * 14)) == ()


def test_answers_of_before_the_coin_are_not_computed_back_by_it(room: Room) -> None:
    room.answer(150, rating=5)
    room.answer(50, rating=1)
    assert room.ask().overall == share(150, 200)

    room.ask_with(epsilon=1.0)
    found = room.ask()

    assert (found.overall, found.rows, found.left_out) == (None, (), 200)


def test_a_score_is_computed_back_by_the_coin_of_its_answers_alone(room: Room) -> None:
    room.ask_with(epsilon=1.0)
    room.answer(200, rating=5)
    room.ask_with(epsilon=4.0)
    room.answer(60, rating=5, hours=-0.5)
    room.answer(40, rating=1, hours=-0.5)

    found = room.ask()

    assert found.overall == score("csat", {5: 60, 1: 40}, epsilon=4.0)
    assert found.left_out == 200


def test_who_answered_after_the_coin_changed_is_told_once_there_are_enough(room: Room) -> None:
    room.answer(100)
    room.ask()
    room.ask_with(epsilon=2.0)
    room.answer(19, hours=0.5)
    assert room.ask(now=at(1)).overall is None

    room.answer(1, hours=0.6)

    assert told(room.ask(now=at(2))) == {"everybody": 20, "Helio G35": 20}


def test_what_was_told_of_another_coin_does_not_vouch_for_a_few(room: Room) -> None:
    room.answer(40)
    room.ask_with(epsilon=2.0)
    room.answer(1, rating=1, hours=-0.5)
    room.ask_with(epsilon=None)
    assert told(room.ask()) == {"everybody": 40, "Helio G35": 40}

    room.ask_with(epsilon=2.0)

    assert told(room.ask()) == {}
