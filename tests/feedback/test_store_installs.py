from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import Databases
from core.device import DeviceContext
from core.privacy import pseudonymize
from feedback import store
from feedback.ingest import Collector
from feedback.store_sheets import lock_sheets
from feedback.tables import ANSWERS, CONTEXTS, DIARIES, INFERENCES, INSTALLS, POLL_EVENTS
from tests.builders import T0, at, some_settings
from tests.feedback.sending import INSTALL, a_batch, a_context, a_poll, a_running_poll, a_summary, an_answer


def send(collector: Collector, batch: dict[str, Any], now: datetime = T0) -> None:
    assert collector.accept_batch(json.dumps(batch).encode(), app="demo", now=now).rejected == 0
    store.catch_up(collector.databases.ingest)


def test_an_install_is_seen_in_the_context_it_was_last_in(collector: Collector, either: Databases) -> None:
    send(collector, a_batch(an_answer("b", at=at(-1)), context=a_context(soc="Tensor G2")))
    send(collector, a_batch(an_answer("a", at=at(-9)), context=a_context(soc="Helio G35")))
    send(collector, a_batch(an_answer("c", at=at(-30)), context=a_context(install="gone-for-long")))

    with either.ingest() as session:
        ((install, device),) = store.installs_seen(session, app="demo", since=at(-24))
    assert device.chipset == "Tensor G2"
    assert install == pseudonymize(INSTALL, some_settings(Path()).hash_key)


def test_the_week_is_told_by_model(collector: Collector, either: Databases) -> None:
    shown = an_answer("s", event="poll shown", answers=[])
    send(collector, a_batch(shown, an_answer("a"), inferences=(a_summary("i", errors={"crash": 2}), a_summary("j"))))
    send(collector, a_batch(inferences=(a_summary("k"),), context=a_context(install="other", model={"name": "scan"})))

    with either.ingest() as session:
        found = store.activity(session, app="demo", since=at(-24), until=at(1))
    assert found == (
        store.Activity(
            model="kws",
            impressions=2,
            responses=1,
            respondents=1,
            reporting=1,
            inferences=200,
            crashes=2,
            timeouts=0,
            crashed=1,
        ),
        store.Activity(
            model="scan",
            impressions=0,
            responses=0,
            respondents=0,
            reporting=1,
            inferences=100,
            crashes=0,
            timeouts=0,
        ),
    )


def test_what_is_older_than_the_retention_is_forgotten(collector: Collector, either: Databases) -> None:
    month_ago = T0 - timedelta(days=30)
    send(collector, a_batch(an_answer("old", at=month_ago), inferences=(a_summary("i", at=month_ago),)))
    send(collector, a_batch(an_answer("new"), context=a_context(install="other")))

    assert store.forget(either.ingest, now=T0, retention_days=40) == 0
    assert store.forget(either.ingest, now=T0, retention_days=20) > 0
    with either.ingest() as session:
        assert session.scalars(sa.select(POLL_EVENTS.c.uuid)).all() == ["new"]
        assert session.scalars(sa.select(ANSWERS.c.uuid)).all() == ["new"]
        left = [
            session.scalar(sa.select(sa.func.count()).select_from(table)) for table in (INFERENCES, DIARIES, INSTALLS)
        ]
    assert left == [0, 0, 1]


def test_a_poll_may_be_forgotten_sooner(collector: Collector, either: Databases) -> None:
    with either.control.begin() as session:
        a_running_poll(session, id="short")
    send(collector, a_batch(an_answer("a", at=at(-72)), an_answer("b", at=at(-72), poll="short")))

    store.forget(either.ingest, now=T0, retention_days=180, retention_by_poll={"short": 2})
    with either.ingest() as session:
        assert session.scalars(sa.select(POLL_EVENTS.c.uuid)).all() == ["a"]


def chipsets(either: Databases) -> set[str | None]:
    with either.ingest() as session:
        return set(session.scalars(sa.select(CONTEXTS.c.chipset)))


def test_device_facts_are_forgotten_with_the_last_install_that_was_on_them(
    collector: Collector, either: Databases
) -> None:
    old, install = T0 - timedelta(days=30), pseudonymize(INSTALL, some_settings(Path()).hash_key)
    send(collector, a_batch(an_answer("old", at=old), context=a_context(soc="Ancient", install="gone")))
    send(collector, a_batch(an_answer("a"), inferences=(a_summary("i"),), context=a_context(soc="Shared")))
    send(collector, a_batch(an_answer("b"), context=a_context(soc="Shared", install="other")))
    send(collector, a_batch(an_answer("c"), inferences=(a_summary("j"),), context=a_context(soc="Mine")))

    with either.ingest.begin() as session:
        store.erase_install(session, app="demo", install=install)
    store.forget(either.ingest, now=T0, retention_days=20)

    assert chipsets(either) == {"Shared"}


def test_device_facts_that_come_back_while_they_are_forgotten_stay(
    collector: Collector, either: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(collector, a_batch(an_answer("old", at=T0 - timedelta(days=30)), context=a_context(soc="Rare")))
    came: list[str] = []

    def reported_first(session: Session) -> None:
        if not came:
            came.append("new")
            send(collector, a_batch(an_answer("new"), context=a_context(soc="Rare")))
        lock_sheets(session)

    monkeypatch.setattr("feedback.store_contexts.lock_sheets", reported_first)
    store.forget(either.ingest, now=T0, retention_days=20)

    assert came
    assert chipsets(either) == {"Rare"}


def test_what_is_left_of_an_erased_install_does_not_tell_which_rows_were_of_one(
    collector: Collector, either: Databases
) -> None:
    sent = a_batch(an_answer("a", at=at(-1)), an_answer("b", at=at(-2)), inferences=(a_summary("i", at=at(-1)),))
    send(collector, sent, now=T0 + timedelta(minutes=7, seconds=3))

    with either.ingest.begin() as session:
        store.erase_install(session, app="demo", install=pseudonymize(INSTALL, some_settings(Path()).hash_key))
        left = [
            dict(row) for table in (POLL_EVENTS, INFERENCES) for row in session.execute(sa.select(table)).mappings()
        ]

    midnight = datetime.combine(T0.date() + timedelta(days=1), time(), UTC)
    told = {(name, value) for row in left for name, value in row.items() if value is not None and name != "uuid"}
    assert told == {
        ("app", "demo"), ("kind", "answered"), ("at", midnight), ("window_start", midnight),
        ("received_at", midnight), ("skew_s", 0),
    }  # fmt: skip
    send(collector, sent)
    with either.ingest() as session:
        assert session.scalars(sa.select(ANSWERS.c.uuid)).all() == []


def test_much_is_forgotten_in_short_transactions_that_phones_can_get_between(
    collector: Collector, either: Databases
) -> None:
    old = T0 - timedelta(days=30)
    send(collector, a_batch(*(an_answer(f"e{number}", at=old) for number in range(10))))
    deleted: list[int] = []
    still_there = sa.select(sa.func.count()).select_from(POLL_EVENTS)
    sa.event.listen(either.ingest_engine, "commit", lambda connection: deleted.append(connection.scalar(still_there)))

    store.forget(either.ingest, now=T0, retention_days=20, rows=3)

    assert {10, 7, 4, 1, 0} <= set(deleted)


def test_what_is_forgotten_is_found_by_its_key_not_by_reading_everything(
    collector: Collector, databases: Databases
) -> None:
    if databases.ingest_engine.dialect.name != "sqlite":
        pytest.skip("asks SQLite for its plan")
    old = T0 - timedelta(days=30)
    send(collector, a_batch(*(an_answer(f"e{number}", at=old) for number in range(10))))
    deletes: list[tuple[str, Any]] = []

    def heard(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("DELETE"):
            deletes.append((statement, parameters))

    sa.event.listen(databases.ingest_engine, "before_cursor_execute", heard)
    store.forget(databases.ingest, now=T0, retention_days=20)

    plans = [plan for statement, values in deletes for plan in _plan(databases, statement, values)]
    assert any("SEARCH answers USING" in plan for plan in plans)
    assert not any(plan.startswith(("SCAN answers", "SCAN poll_events")) for plan in plans)


def _plan(databases: Databases, statement: str, values: Any) -> list[str]:
    with databases.ingest_engine.connect() as connection:
        return [str(row[3]) for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, values)]


def test_history_tells_what_an_install_has_seen_of_a_poll(collector: Collector, either: Databases) -> None:
    shown: dict[str, Any] = {"event": "poll shown", "answers": []}
    send(
        collector,
        a_batch(an_answer("1", at=at(-5), **shown), an_answer("2", at=at(-3), **shown), an_answer("3", at=at(-2))),
    )
    poll = a_poll(quotas=[{"by": ["soc"], "limit": 5}])
    install = pseudonymize(INSTALL, some_settings(Path()).hash_key)
    with either.ingest() as session:
        facts: dict[str, Any] = {"app": "demo", "install": install, "poll": poll}
        found = store.install_history(session, device=DeviceContext(chipset="Helio G35"), **facts)
        elsewhere = store.install_history(session, device=DeviceContext(chipset=None), **facts)

    assert (found.shown, found.answered, found.any_poll_shown) == ((at(-5), at(-3)), at(-2), at(-3))
    assert (found.has_consented, found.consent_text_version) == (True, "2026-10")
    assert (found.responses, found.quota_responses) == (1, (1,))
    assert elsewhere.quota_responses == (0,)
