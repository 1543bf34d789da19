from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core import segments
from core.db import Databases
from core.errors import InvalidInputError
from core.privacy import seal
from feedback import store
from feedback.ingest import Collector
from tests.builders import T0, at, some_settings
from tests.feedback.sending import a_batch, a_context, a_running_poll, an_answer

PERIOD: dict[str, Any] = {"since": at(-24 * 7), "until": at(1)}


class Fleet:
    """Answers of many installs, each with one rating."""

    def __init__(self, databases: Databases, folder: Path) -> None:
        with databases.control.begin() as session:
            a_running_poll(session)
        self.databases = databases
        self.settings = some_settings(folder)
        self.collector = Collector(databases, self.settings)
        self.sent = 0

    def say(self, *ratings: int, install: str | None = None, **context: Any) -> None:
        for rating in ratings:
            self.sent += 1
            who = install or f"install-{self.sent}"
            self.send(an_answer(f"e{self.sent}", rating), a_context(install=who, **context))

    def send(self, event: dict[str, Any], context: dict[str, Any]) -> None:
        reply = self.collector.accept_batch(json.dumps(a_batch(event, context=context)).encode(), app="demo", now=T0)
        assert [result.status for result in reply.results] == ["accepted"]
        store.catch_up(self.databases.ingest)

    def heard(self) -> store.Sheets:
        with self.databases.ingest() as session:
            return store.heard(session, app="demo", model="kws", **PERIOD)

    def counts(self, attribute: str, **more: Any) -> tuple[store.AnswerCount, ...]:
        return store.answer_counts(self.heard(), attribute=attribute, **(PERIOD | more))


@pytest.fixture
def fleet(either: Databases, tmp_path: Path) -> Fleet:
    return Fleet(either, tmp_path)


def test_answers_are_counted_for_each_value_of_an_attribute(fleet: Fleet) -> None:
    fleet.say(5, 5, 1, soc="Helio G35")
    fleet.say(4, soc="Tensor G2")
    fleet.say(3, soc=None)

    assert (
        fleet.counts("chipset")
        == fleet.counts("soc")
        == (
            store.AnswerCount(value="Helio G35", counts={"1": 1, "5": 2}, n=3, installs=3),
            store.AnswerCount(value="Tensor G2", counts={"4": 1}, n=1, installs=1),
            store.AnswerCount(value=None, counts={"3": 1}, n=1, installs=1),
        )
    )


def test_an_install_that_answers_twice_is_one_person(fleet: Fleet) -> None:
    fleet.say(5, 4, install="the-same-one")
    (count,) = fleet.counts("chipset")
    assert (count.n, count.installs) == (2, 1)


def test_numbers_read_as_people_write_them(fleet: Fleet) -> None:
    fleet.say(5, ram_gb=4)
    fleet.say(5, ram_gb=3.5)
    assert [count.value for count in fleet.counts("ram_gb")] == ["3.5", "4"]


def test_a_rule_picks_the_devices_that_are_counted(fleet: Fleet) -> None:
    fleet.say(5, 5, **{"app.version": "5.10.0", "soc": "A"})
    fleet.say(1, **{"app.version": "5.9.0", "soc": "A"})
    fleet.say(2, **{"app.version": None, "soc": "A"})

    where = segments.parse("app_version>=5.10.0")
    assert fleet.counts("chipset", where=where)[0].counts == {"5": 2}
    assert fleet.counts("chipset", where=segments.parse("tier=high")) == ()


def test_only_the_period_is_counted_and_its_end_is_not_in_it(fleet: Fleet) -> None:
    for name, moment in (("a", at(-5)), ("b", at(-3)), ("c", at(-1))):
        fleet.send(an_answer(name, 4, at=moment), a_context())
    (count,) = fleet.counts("chipset", since=at(-5), until=at(-1))
    assert count.n == 2


def test_only_the_primary_question_is_counted(fleet: Fleet) -> None:
    said = [{"question": "q_csat", "value": 2}, {"question": "q_why", "value": ["slow"]}]
    fleet.send(an_answer("a", answers=said), a_context())

    assert fleet.counts("chipset")[0].counts == {"2": 1}


def test_an_unknown_attribute_is_answered_with_the_nearest(fleet: Fleet) -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'chipset'"):
        fleet.counts("chipet")


def test_impressions_count_submissions_whatever_was_told_of_them(fleet: Fleet) -> None:
    shown: dict[str, Any] = {"event": "poll shown", "answers": []}
    for event in (
        an_answer("a1", submission="a", **shown),
        an_answer("a2", submission="a"),
        an_answer("b1", submission="b", **shown),
        an_answer("b2", submission="b", event="poll dismissed", answers=[]),
        an_answer("c1", submission="c"),
    ):
        fleet.send(event, a_context())

    found = store.impressions(fleet.heard(), attribute="tier", **PERIOD)
    assert found == (store.ImpressionCount(value="low", shown=3, answered=2, dismissed=1, installs=1),)


def test_choices_are_counted_with_the_mechanism_they_were_given_under(fleet: Fleet) -> None:
    for number, picked in enumerate((["slow"], ["slow"], ["wrong", "slow"])):
        answers = [{"question": "q_why", "value": picked}]
        fleet.send(an_answer(f"e{number}", answers=answers), a_context(install=f"install-{number}"))

    found = store.choice_counts(fleet.heard(), **PERIOD)
    assert [(each.question, each.choices, each.mechanism, each.n) for each in found] == [
        ("q_why", ("slow",), None, 2),
        ("q_why", ("slow", "wrong"), None, 1),
    ]


def test_quotes_come_unsealed_with_their_rating_the_latest_first(fleet: Fleet) -> None:
    for number, (text, rating) in enumerate((("too slow", 1), ("mail me at a@b.de", 2), ("lovely", 5))):
        answers = [{"question": "q_csat", "value": rating}, {"question": "q_txt", "value": text}]
        moment = T0 - timedelta(hours=3 - number)
        fleet.send(an_answer(f"e{number}", answers=answers, at=moment), a_context(soc=f"chip {number}"))
    with fleet.databases.ingest() as session:
        found = store.quotes(session, key=fleet.settings.secret_key, limit=2, app="demo", model="kws", **PERIOD)
        where = segments.parse('chipset="chip 0"')
        (slow,) = store.quotes(session, key=fleet.settings.secret_key, where=where, app="demo", model="kws", **PERIOD)

    assert [(quote.text, quote.rating) for quote in found] == [("lovely", "5"), ("mail me at [email]", "2")]
    assert (slow.text, slow.device.chipset) == ("too slow", "chip 0")


def test_a_quote_sealed_with_another_key_stays_sealed(fleet: Fleet) -> None:
    fleet.send(an_answer("a", answers=[{"question": "q_txt", "value": "secret"}]), a_context())
    with fleet.databases.ingest() as session:
        assert store.quotes(session, key=b"another key altogether", app="demo", model="kws", **PERIOD) == ()
    assert seal("x", b"another key altogether") != "x"
