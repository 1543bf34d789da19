"""Jobs in the database: ordered once, ended once, cancelled at any time before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core.db import Databases
from core.errors import NotFoundError
from optimize import store
from optimize.store import Wanted
from tests.builders import T0, at


def wanted(**changes: Any) -> Wanted:
    values: dict[str, Any] = {
        "app": "demo", "kind": "optimize", "model": "kws", "version": "1.4.0", "variant": "fp32", "parent": "a" * 64,
        "recipe": "auto", "budget": "size<1mb", "most_cpu_s": 60.0, "asked_by": "U0DANA",
    }  # fmt: skip
    return Wanted(**(values | changes))


@pytest.fixture
def session(databases: Databases) -> Iterator[Session]:
    with databases.control.begin() as session:
        yield session


def test_jobs_are_numbered_and_the_newest_is_listed_first(session: Session) -> None:
    for model in ("kws", "ocr", "kws"):
        store.create(session, wanted(model=model), now=T0)

    assert [job.name for job in store.newest(session, app="demo")] == ["J3", "J2", "J1"]
    assert [job.name for job in store.newest(session, app="demo", model="ocr")] == ["J2"]
    assert store.newest(session, app="other") == ()


def test_one_message_orders_once(session: Session) -> None:
    first, is_new = store.create(session, wanted(delivery="dlv_1"), now=T0)
    again, is_new_again = store.create(session, wanted(delivery="dlv_1"), now=at(1))

    assert (is_new, is_new_again, first.name, again.name) == (True, False, "J1", "J1")


def test_a_job_that_runs_again_keeps_when_it_started(session: Session) -> None:
    job, _ = store.create(session, wanted(), now=T0)

    assert store.start(session, job.number, now=at(1))
    assert store.start(session, job.number, now=at(2))

    assert store.load(session, "j1", app="demo").started_at == at(1)


def test_a_job_ends_once(session: Session) -> None:
    job, _ = store.create(session, wanted(), now=T0)
    store.start(session, job.number, now=T0)

    assert store.end(session, job.number, "done", {"sentence": "fits"}, now=at(1))
    assert not store.end(session, job.number, "failed", {"sentence": "late"}, now=at(2))
    assert not store.save_progress(session, job.number, {"step": 9})
    assert not store.start(session, job.number, now=at(3))

    ended = store.load(session, "J1", app="demo")
    assert (ended.state, ended.result, ended.ended_at) == ("done", {"sentence": "fits"}, at(1))


def test_one_that_waits_is_cancelled_at_once_and_one_that_runs_is_told(session: Session) -> None:
    waits, _ = store.create(session, wanted(), now=T0)
    runs, _ = store.create(session, wanted(), now=T0)
    store.start(session, runs.number, now=T0)

    assert store.cancel(session, waits.number, by="U0MIA", now=at(1))
    assert store.cancel(session, runs.number, by="U0MIA", now=at(1))

    assert not store.cancel(session, runs.number, by="U0TOM", now=at(2))
    assert store.load(session, "J1", app="demo").state == "cancelled"
    told = store.load(session, "J2", app="demo")
    assert (told.state, told.cancelled_by) == ("running", "U0MIA")
    assert store.is_cancelled(session, runs.number)


@pytest.mark.parametrize("ref", ["J9", "R1", "J", "J1; drop", "J99999999999"])
def test_what_is_no_job_is_not_found(session: Session, ref: str) -> None:
    store.create(session, wanted(), now=T0)

    with pytest.raises(NotFoundError):
        store.load(session, ref, app="demo")


def test_another_apps_job_is_not_found(session: Session) -> None:
    store.create(session, wanted(app="other"), now=T0)

    with pytest.raises(NotFoundError):
        store.load(session, "J1", app="demo")
