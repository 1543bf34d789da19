"""Corrections leave with the facts that enough people share, and with no others."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from core.db import Databases
from core.settings import Settings
from feedback import store
from feedback.corrections import Correction, Corrections, coarsened
from feedback.ingest import Collector
from feedback.label_studio import config, tasks
from tests.builders import T0, at
from tests.feedback.sending import a_batch, a_context, a_running_poll, an_answer

MONDAY = date(2026, 11, 16)
FIX = {"id": "q_fix", "type": "correction", "question": "What was it?"}
Given = list[tuple[str, Correction]]


def a_correction(label: str = "seven", *, version: str | None = "1.4.0", day: date | None = MONDAY) -> Correction:
    return Correction(label=label, inference=None, model="kws", version=version, day=day)


def of_people(number: int, *, named: str = "a", version: str | None = "1.4.0", day: date = MONDAY) -> Given:
    return [(f"{named}{each}", a_correction(version=version, day=day)) for each in range(number)]


def facts(told: tuple[Correction, ...]) -> dict[tuple[str | None, date | None], int]:
    counts: dict[tuple[str | None, date | None], int] = defaultdict(int)
    for each in told:
        counts[each.version, each.day] += 1
    return dict(counts)


def test_facts_that_enough_people_share_are_told() -> None:
    given = of_people(25) + of_people(20, named="b", version="1.5.0")

    assert facts(coarsened(given, 20)) == {("1.4.0", MONDAY): 25, ("1.5.0", MONDAY): 20}


def test_a_version_of_one_person_is_told_of_nobody_and_takes_another_with_it() -> None:
    given = of_people(25) + of_people(21, named="b", version="1.5.0") + of_people(1, named="ceo", version="9.9.9-ceo")

    assert facts(coarsened(given, 20)) == {("1.4.0", MONDAY): 25, (None, MONDAY): 22}


def test_a_day_of_a_few_is_not_told_and_takes_another_with_it() -> None:
    tuesday, wednesday = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
    given = of_people(30) + of_people(20, named="b", day=tuesday) + of_people(2, named="c", day=wednesday)

    assert facts(coarsened(given, 20)) == {("1.4.0", MONDAY): 30, ("1.4.0", None): 22}


def test_one_person_who_says_much_is_one() -> None:
    assert coarsened(20 * of_people(1), 20) == ()


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["1", "2", "3", None]), st.integers(0, 3)), max_size=120),
    st.integers(2, 8),
)
def test_whoever_is_told_has_the_same_facts_as_enough_others(
    said: list[tuple[int, str | None, int]], minimum: int
) -> None:
    given = [
        (str(who), a_correction(f"{place}", version=version, day=MONDAY + timedelta(days=day)))
        for place, (who, version, day) in enumerate(said)
    ]
    told = coarsened(given, minimum)

    who_said = {each.label: install for install, each in given}
    alike = defaultdict(set)
    for each in told:
        alike[each.version, each.day].add(who_said[each.label])
    assert all(len(people) >= minimum for people in alike.values())
    assert len(told) in (0, len(given))
    assert bool(told) is (len(set(who_said.values())) >= minimum)


def test_twice_the_labels_are_twice_the_tasks_and_no_more() -> None:
    few, many = ([a_correction(f"word {each:04}") for each in range(n)] for n in (200, 400))

    assert len(json.dumps(tasks(many))) == 2 * len(json.dumps(tasks(few)))


def test_the_config_has_every_label_once_whatever_people_wrote() -> None:
    labels = ["<\"&'>", "two\nlines", "bell\x07", "seven", "seven"]
    given = [a_correction(label) for label in labels]

    choices = [each.get("value") for each in ElementTree.fromstring(config(given)).iter("Choice")]

    chosen = {task["annotations"][0]["result"][0]["value"]["choices"][0] for task in tasks(given)}
    assert set(choices) == chosen
    assert len(choices) == 4


def test_the_newest_are_kept_and_the_cut_is_told(either: Databases, settings: Settings) -> None:
    correct(either, settings, ["old"] * 10 + ["new"] * 20)

    cut, whole = (read(either, settings, limit=limit) for limit in (20, 30))

    assert ([each.label for each in cut.told], cut.is_cut) == (["new"] * 20, True)
    assert (len(whole.told), whole.is_cut) == (30, False)


def correct(databases: Databases, settings: Settings, labels: list[str]) -> None:
    """One person after the other gives a label, a minute apart."""
    with databases.control.begin() as session:
        a_running_poll(session, questions=[FIX])
    collector = Collector(databases, settings)
    for place, label in enumerate(labels):
        given = [{"question": "q_fix", "value": label}]
        event = an_answer(f"e{place}", at=at(-2) + timedelta(minutes=place), answers=given)
        batch = a_batch(event, context=a_context(install=f"install-{place}"))
        assert collector.accept_batch(json.dumps(batch).encode(), app="demo", now=T0).accepted == 1


def read(databases: Databases, settings: Settings, *, limit: int) -> Corrections:
    with store.fresh(databases.ingest) as session:
        return store.corrections(
            session, app="demo", model="kws", since=at(-24), until=T0, key=settings.sealing, minimum=20, limit=limit
        )
