"""Deliveries are kept once; cards are found again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot import store
from bot.heard import Heard
from bot.tables import CardRow
from core.db import Databases
from tests.builders import T0
from tests.conftest import JobList


def accept(databases: Databases, key: str = "T0/Ev1", **changes: Any) -> str | None:
    values: dict[str, Any] = {"kind": "command", "person": "U0DANA", "name": "dana", "line": "status"}
    with databases.control.begin() as session:
        return store.accept_delivery(session, Heard(key=key, **(values | changes)), now=T0)


def test_a_delivery_and_its_job_are_written_together(databases: Databases, jobs: JobList) -> None:
    delivery = accept(databases, channel="C1", form={"name": "x"})

    assert delivery is not None
    assert [(job.job, dict(job.ids)) for job in jobs.waiting] == [("hear", {"delivery": delivery})]
    with databases.control.begin() as session:
        assert store.load_delivery(session, delivery).heard.form == {"name": "x"}


def test_a_repeated_delivery_changes_nothing(databases: Databases, jobs: JobList) -> None:
    first = accept(databases)

    assert accept(databases, line="release kill R1") is None
    assert accept(databases) is None
    assert len(jobs.waiting) == 1
    assert first is not None
    with databases.control.begin() as session:
        assert store.load_delivery(session, first).heard.line == "status"


def test_what_was_answered_keeps_no_way_back_to_the_person(databases: Databases) -> None:
    delivery = accept(databases, response_url="https://hooks.slack.test/1") or ""

    with databases.control.begin() as session:
        store.save_reply(session, delivery, {"text": "hi"})
        store.mark_answered(session, delivery, T0)
        kept = store.load_delivery(session, delivery)

    assert (kept.reply, kept.heard.response_url, kept.heard.line, kept.answered_at) == (None, None, "", T0)


def test_only_answered_deliveries_are_forgotten(databases: Databases) -> None:
    answered = accept(databases, key="a") or ""
    accept(databases, key="b")

    with databases.control.begin() as session:
        store.mark_answered(session, answered, T0)
        assert store.forget_deliveries(session, T0 + timedelta(days=1)) == 1


def test_a_thread_tells_what_its_card_shows(databases: Databases) -> None:
    with databases.control.begin() as session:
        session.add(CardRow(subject="rel_1", channel="C1", ts="1.0", shown="", updated_at=T0))
        session.flush()

        assert store.subject_of(session, "C1", "1.0") == "rel_1"
        assert store.subject_of(session, "C2", "1.0") is None
