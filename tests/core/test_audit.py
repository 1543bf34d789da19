"""The audit log cannot be changed without it showing."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from core.audit import entries, record, verify
from core.db import Databases
from tests.builders import T0, at


@pytest.fixture
def log(databases: Databases) -> Databases:
    with databases.control.begin() as session:
        for hour, what in enumerate(("release.started", "release.advanced", "release.halted")):
            record(session, who="U0MIA", what=what, subject="rel_1", now=at(hour), facts={"stage": hour})
    return databases


def test_an_untouched_log_verifies(log: Databases) -> None:
    with log.control() as session:
        assert verify(session) is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param("UPDATE audit SET who = 'U0EVE' WHERE position = 2", "Entry 2", id="who was changed"),
        pytest.param("UPDATE audit SET facts = '{}' WHERE position = 3", "Entry 3", id="facts were changed"),
        pytest.param("DELETE FROM audit WHERE position = 2", "Entry 2", id="an entry was removed"),
    ],
)
def test_what_was_tampered_with_is_named(log: Databases, change: str, named: str) -> None:
    with log.control.begin() as session:
        session.execute(sa.text(change))

    with log.control() as session:
        assert named in (verify(session) or "")


def test_the_newest_entry_comes_first_and_keeps_its_facts(log: Databases) -> None:
    with log.control() as session:
        newest = entries(session, subject="rel_1", limit=1)[0]

    assert (newest.what, newest.facts, newest.at) == ("release.halted", {"stage": 2}, at(2))


def test_an_entry_goes_with_its_transaction(databases: Databases) -> None:
    with databases.control() as session:
        record(session, who="U0MIA", what="release.started", subject="rel_1", now=T0)
        session.rollback()

    with databases.control() as session:
        assert entries(session) == ()


def test_many_who_write_at_once_make_one_chain(databases: Databases) -> None:
    def write(number: int) -> None:
        for hour in range(5):
            with databases.control.begin() as session:
                record(session, who=f"U{number}", what="release.advanced", subject="rel_1", now=at(hour))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with databases.control() as session:
        assert verify(session) is None
        assert [entry.position for entry in entries(session)] == list(range(30, 0, -1))
