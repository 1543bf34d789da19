from __future__ import annotations

from typing import Any, Literal

import pytest

from core.db import Databases
from core.errors import ConflictError, NotFoundError
from feedback import store
from feedback.polls import Poll
from tests.builders import T0, at
from tests.feedback.sending import POLL, a_poll, a_running_poll


def save(databases: Databases, poll: Poll, **changes: Any) -> store.StoredPoll:
    facts: dict[str, Any] = {"app": "demo", "model": "kws", "by": "U0DANA", "now": T0} | changes
    with databases.control.begin() as session:
        return store.save_poll(session, poll, **facts)


def test_polls_are_numbered_in_the_order_they_are_made(either: Databases) -> None:
    assert [save(either, a_poll(id=name)).ref for name in ("first", "second")] == ["P1", "P2"]


def test_a_poll_is_found_by_number_or_id_in_any_case(either: Databases) -> None:
    saved = save(either, a_poll())
    with either.control() as session:
        assert store.find_poll(session, "p1") == store.find_poll(session, "heard") == saved


def test_a_poll_that_is_not_there_is_answered_with_the_nearest(either: Databases) -> None:
    save(either, a_poll())
    with either.control() as session, pytest.raises(NotFoundError, match="did you mean 'heard'"):
        store.find_poll(session, "herd")
    with either.control() as session, pytest.raises(NotFoundError):
        store.find_poll(session, "P1", app="other")


def test_saving_the_same_again_changes_nothing_and_a_change_makes_a_version(either: Databases) -> None:
    first = save(either, a_poll())
    again = save(either, a_poll(), now=at(1))
    changed = save(either, a_poll(name="Heard right?"), now=at(2))

    assert again == first
    assert (changed.ref, changed.poll.version, changed.poll.name) == ("P1", 2, "Heard right?")


def test_a_change_of_text_neither_starts_nor_stops_a_poll(either: Databases) -> None:
    with either.control.begin() as session:
        a_running_poll(session)
    assert save(either, a_poll(name="Heard right?")).poll.status == "running"


def test_every_version_stays_known_once_the_poll_was_started(either: Databases) -> None:
    save(either, a_poll(id="draft"))
    with either.control.begin() as session:
        a_running_poll(session)
    save(either, a_poll(questions=POLL["questions"][:1]))

    with either.control() as session:
        versions = store.poll_versions(session)
    assert {key: len(stored.poll.questions) for key, stored in versions.items()} == {
        ("demo", "heard", 1): 3,
        ("demo", "heard", 2): 1,
    }


def test_an_id_taken_by_another_app_is_refused(either: Databases) -> None:
    save(either, a_poll())
    with pytest.raises(ConflictError, match="is taken by P1"):
        save(either, a_poll(), app="other")


def test_only_open_polls_are_running(either: Databases) -> None:
    with either.control.begin() as session:
        a_running_poll(session, id="over", end_date=at(-1).isoformat())
        a_running_poll(session, id="open")
    save(either, a_poll(id="draft"))

    with either.control() as session:
        assert [stored.poll.id for stored in store.running_polls(session, "demo", T0)] == ["open"]
        assert store.running_polls(session, "other", T0) == ()
        assert [stored.poll.id for stored in store.list_polls(session, "demo")] == ["draft", "open", "over"]


def test_a_poll_is_started_and_stopped_once(either: Databases) -> None:
    save(either, a_poll())
    steps: tuple[Literal["running", "stopped"], ...] = ("running", "stopped")
    for hour, status in enumerate(steps):
        with either.control.begin() as session:
            assert store.set_poll_status(session, "P1", status, now=at(hour)).ref == "P1"
        with either.control.begin() as session, pytest.raises(ConflictError):
            store.set_poll_status(session, "P1", status, now=at(hour))
