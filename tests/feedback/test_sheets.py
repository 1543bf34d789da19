"""Sheets are what rows are, whatever happens to those; and what is counted from either is the same."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from core import segments
from core.db import Databases
from core.privacy import pseudonymize
from core.settings import Settings
from feedback import sheets, store
from feedback.fold import fold_some
from feedback.tables import POLL_EVENTS
from tests.builders import T0, at
from tests.feedback import recount
from tests.feedback.house import MANY, House
from tests.feedback.sending import a_batch, a_context, a_running_poll, an_answer

CHIPS = ("Helio G35", "Tensor G2", None)
INSTALLS = ("install-1", "install-2", "install-3")
NEW_KEY = b"another hash key for tests"
# T0 is the 16th of a month: thirty days back lie in two months.
HOURS = st.integers(-24 * 30, -1)


@st.composite
def told(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """An event and the context it is told in, as a batch: of few installs, submissions and values, so they meet."""
    kind = draw(st.sampled_from(["poll answered", "poll answered", "poll shown", "poll dismissed"]))
    answers: list[dict[str, Any]] = []
    if kind == "poll answered":
        answers.append({"question": "q_csat", "value": draw(st.integers(1, 5))})
        if draw(st.booleans()):
            answers.append({"question": "q_why", "value": draw(st.sampled_from([["slow"], ["slow", "wrong"]]))})
        if draw(st.booleans()):
            answers = answers[1:] or answers
    submission, poll = draw(st.sampled_from("abc")), draw(st.sampled_from(["heard", "again"]))
    event = an_answer(f"e{number}", at=at(draw(HOURS)), event=kind, poll=poll, submission=submission, answers=answers)
    context = a_context(install=draw(st.sampled_from(INSTALLS)), soc=draw(st.sampled_from(CHIPS)))
    return a_batch(event, context=context)


HISTORY = st.integers(1, 15).flatmap(lambda length: st.tuples(*(told(number) for number in range(length))))


class SheetHouse(House):
    def sheets(self) -> recount.Found:
        with self.databases.ingest() as session:
            return recount.sheets(session)

    def recounted(self) -> recount.Found:
        with self.databases.ingest() as session:
            return recount.sheets_anew(session)

    def heard(self, since: datetime, until: datetime, poll: str | None = None) -> store.Sheets:
        with self.databases.ingest() as session:
            return store.heard(session, app="demo", model="kws", since=since, until=until, poll=poll)


@pytest.fixture
def house(either: Databases, settings: Settings) -> SheetHouse:
    with either.control.begin() as session:
        a_running_poll(session)
        a_running_poll(session, id="again")
    return SheetHouse(either, settings)


@MANY
@given(history=HISTORY, shuffler=st.randoms(use_true_random=False))
def test_replayed_shuffled_and_folded_in_other_portions_sheets_are_the_same(
    house: SheetHouse, history: Any, shuffler: random.Random
) -> None:
    house.play(history)
    in_order = house.sheets()
    again = [*history, *history]
    shuffler.shuffle(again)

    house.play(again, fold_rows=shuffler.randint(1, 20))

    assert house.sheets() == in_order == house.recounted()


@MANY
@given(history=HISTORY, gone=st.sampled_from(INSTALLS), days=st.integers(1, 31), shorter=st.integers(1, 31))
def test_what_is_erased_forgotten_or_renamed_is_so_in_sheets(
    house: SheetHouse, settings: Settings, history: Any, gone: str, days: int, shorter: int
) -> None:
    house.play(history)
    install, ingest = pseudonymize(gone, settings.hash_key), house.databases.ingest

    with ingest.begin() as session:
        store.erase_install(session, app="demo", install=install)
    assert house.sheets() == house.recounted()
    assert install not in {row[5] for row in house.sheets()}

    store.forget(ingest, now=T0, retention_days=days, retention_by_poll={"again": shorter}, rows=4)
    assert house.sheets() == house.recounted()

    store.renew_pseudonyms(ingest, b"\n".join([NEW_KEY, settings.hash_key]))
    assert house.sheets() == house.recounted()
    assert all(row[5].startswith("2-") for row in house.sheets())


@MANY
@given(
    history=HISTORY, ends=st.lists(HOURS, min_size=2, max_size=4, unique=True).map(sorted),
    attribute=st.sampled_from(["chipset", "tier"]), where=st.sampled_from(["", 'chipset="Helio G35"', "tier=high"]),
)  # fmt: skip
def test_whatever_is_asked_sheets_answer_as_rows_do(
    house: SheetHouse, history: Any, ends: list[int], attribute: str, where: str
) -> None:
    house.play(history)
    moments, rule = [at(hours) for hours in ends], segments.parse(where)
    since, until = moments[0], moments[-1]
    asked: dict[str, Any] = {"since": since, "until": until, "where": rule}
    heard = house.heard(at(-24 * 40), T0)
    narrow = house.heard(since, until)

    with house.databases.ingest() as session:
        answers = recount.answers(session, attribute, since, until, rule)
        impressions = recount.impressions(session, attribute, since, until, rule)
        choices = recount.choices(session, since, until, rule)
        people = recount.who_answered(session, moments)
    for told_of in (heard, narrow):
        assert recount.told_answers(store.answer_counts(told_of, attribute=attribute, **asked)) == answers
        assert recount.told_impressions(store.impressions(told_of, attribute=attribute, **asked)) == impressions
        assert recount.told_choices(store.choice_counts(told_of, **asked)) == choices
        once, devices = store.who_answered(told_of, moments=moments)
        assert set(once) == people
        assert {context for context, _, _ in once} <= devices.keys()


def test_a_report_of_one_poll_hears_nothing_of_another(house: SheetHouse) -> None:
    house.play([a_batch(an_answer("a", 5), an_answer("b", 1, poll="again"))])

    heard = house.heard(at(-1), at(1), poll="again")

    (count,) = store.answer_counts(heard, attribute="chipset", since=at(-1), until=at(1))
    assert count.counts == {"1": 1}


def test_a_fold_that_is_cut_off_leaves_sheets_and_rows_as_they_were(
    house: SheetHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.play([a_batch(an_answer("a", 5, submission="s", at=at(-1)))])
    before = house.sheets()
    batch = json.dumps(a_batch(an_answer("b", 1, submission="s"))).encode()
    assert house.collector.accept_batch(batch, app="demo", now=T0).accepted == 1

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("feedback.cells.count", dies)
        with pytest.raises(KeyboardInterrupt):
            fold_some(house.databases.ingest)
    with house.databases.ingest() as session:
        assert session.scalars(sa.select(POLL_EVENTS.c.uuid)).all() == ["a"]
    assert house.sheets() == before

    store.catch_up(house.databases.ingest)
    assert house.sheets() == house.recounted() != before


def test_who_folds_and_who_erases_at_once_never_wait_for_one_another_for_ever(
    house: SheetHouse, settings: Settings
) -> None:
    house.play([])
    for number in range(40):
        batch = a_batch(an_answer(f"e{number}"), context=a_context(install=f"install-{number % 8}"))
        assert house.collector.accept_batch(json.dumps(batch).encode(), app="demo", now=T0).rejected == 0
    ingest, erased = house.databases.ingest, [f"install-{number}" for number in range(0, 8, 2)]

    def erase(raw: str) -> None:
        with ingest.begin() as session:
            store.gather_install(session, raw, app="demo", keys=settings.hash_key)
            store.erase_install(session, app="demo", install=pseudonymize(raw, settings.hash_key))

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(erase, raw) for raw in erased] + [pool.submit(fold_some, ingest, rows=5) for _ in range(8)]
    for each in work:
        each.result()
    store.catch_up(ingest)

    assert house.sheets() == house.recounted()
    assert len(house.sheets()) == 4


@given(st.lists(st.tuples(st.sampled_from(["shown", "x"]), st.integers(0, 3)), max_size=8))
def test_what_is_put_in_and_taken_out_again_leaves_nothing(put: list[tuple[str, int]]) -> None:
    place = sheets.Place("demo", "kws", 202611, "heard", "c", "one")
    entries = [sheets.of_event(place, kind, at=T0 + timedelta(hours=hour), submission="s") for kind, hour in put]
    packed = None
    for entry in entries:
        packed = sheets.changed(packed, {(entry.told, entry.record): 1})
    for entry in reversed(entries):
        assert packed is not None
        packed = sheets.changed(packed, {(entry.told, entry.record): -1})
    assert packed is None


@given(
    st.builds(
        sheets.AnswerTold, question=st.just("q"), kind=st.just("csat"), is_primary=st.booleans(),
        value=st.text().map(json.dumps), mechanism=st.sampled_from([None, "k_rr"]),
        epsilon=st.none() | st.floats(0.01, 20),
    )
)  # fmt: skip
def test_what_was_answered_is_read_as_it_was_written(answer: sheets.AnswerTold) -> None:
    place = sheets.Place("demo", "kws", 202611, "heard", "c", "one")
    assert sheets.answer_of(sheets.of_answer(place, answer, at=T0, submission="s").told) == answer
