from __future__ import annotations

import json
import random
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.db import Databases, Ingest
from core.settings import Settings
from feedback import ingest, store
from feedback.commit import OverloadedError
from feedback.inbox_sink import InboxSink
from feedback.ingest import Collector
from feedback.tables import ANSWERS, CELLS, POLL_EVENTS
from tests.builders import T0, at, some_settings
from tests.feedback.sending import a_batch, a_context, a_running_poll, a_summary, an_answer


def send(collector: Collector, batch: dict[str, Any]) -> list[str]:
    reply = collector.accept_batch(json.dumps(batch).encode(), app="demo", now=T0)
    store.catch_up(collector.databases.ingest)
    return [result.status for result in reply.results]


def everything(databases: Databases) -> dict[str, list[Any]]:
    """All rows of all ingest tables, in key order."""
    with databases.ingest() as session:
        return {
            table.name: [tuple(row) for row in session.execute(sa.select(table).order_by(*table.primary_key.columns))]
            for table in Ingest.metadata.sorted_tables
        }


def session_of_a_phone() -> list[dict[str, Any]]:
    """Batches in which answers overtake one another, hours are reported twice and one install has two devices."""
    sub: dict[str, Any] = {"submission": "s1"}
    why: dict[str, Any] = {"answers": [{"question": "q_why", "value": ["slow"]}], **sub}
    later, much_later = T0 - timedelta(minutes=5), T0 - timedelta(minutes=1)
    crash: dict[str, Any] = {"errors": {"crash": 2}}
    elsewhere = a_context(install="another-install", soc="Tensor G2")
    return [
        a_batch(an_answer("e1", 2, at=T0 - timedelta(hours=2), **sub), an_answer("e2", 5, at=later, **sub)),
        a_batch(an_answer("e3", 3, at=later, **sub), an_answer("e4", at=much_later, **why)),
        a_batch(an_answer("e5", 1), inferences=(a_summary("i1"), a_summary("i2", **crash))),
        a_batch(an_answer("e6", 4), inferences=(a_summary("i3", **crash),), context=elsewhere),
        a_batch(an_answer("e7", 5, at=much_later, **sub), context=a_context(soc="Exynos 850")),
    ]


def test_the_same_uuid_is_stored_and_counted_once(collector: Collector, either: Databases) -> None:
    batch = a_batch(an_answer("e1", 5), inferences=(a_summary("i1"),))

    assert send(collector, batch) == ["accepted", "accepted"]
    before = everything(either)
    assert send(collector, batch) == ["duplicate", "duplicate"]

    assert everything(either) == before
    assert len(before["poll_events"]) == len(before["inferences"]) == len(before["answers"]) == 1


def test_a_uuid_twice_in_one_batch_is_stored_once(collector: Collector, either: Databases) -> None:
    assert send(collector, a_batch(an_answer("e1", 5), an_answer("e1", 5))) == ["accepted", "duplicate"]
    assert len(everything(either)["poll_events"]) == 1


def test_the_same_uuid_of_another_app_is_another_item(collector: Collector, either: Databases) -> None:
    with either.control.begin() as session:
        a_running_poll(session, app="other", id="heard2")
    body = a_batch(an_answer("e1", poll="heard2"))

    assert send(collector, a_batch(an_answer("e1"))) == ["accepted"]
    reply = collector.accept_batch(json.dumps(body).encode(), app="other", now=T0)

    assert [result.status for result in reply.results] == ["accepted"]


@pytest.fixture
def fresh(settings: Settings, databases: Databases) -> tuple[Collector, Databases]:
    with databases.control.begin() as session:
        a_running_poll(session)
    return Collector(databases, settings), databases


def wipe(databases: Databases) -> None:
    with databases.ingest.begin() as session:
        for table in Ingest.metadata.sorted_tables:
            session.execute(sa.delete(table))


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(seed=st.integers(0, 10_000), group=st.integers(1, 5))
def test_replaying_and_shuffling_leaves_every_row_and_cell_identical(
    fresh: tuple[Collector, Databases], tmp_path: Path, seed: int, group: int
) -> None:
    _, databases = fresh
    batches = session_of_a_phone()
    wipe(databases)
    collector = Collector(databases, some_settings(tmp_path))
    for batch in batches:
        send(collector, batch)
    in_order = everything(databases)

    wipe(databases)
    shuffler = random.Random(seed)
    again = Collector(databases, some_settings(tmp_path))
    items = [(batch["context"], e, "events") for batch in batches for e in batch["events"]]
    items += [(batch["context"], e, "inferences") for batch in batches for e in batch["inferences"]]
    stream = items * 3
    shuffler.shuffle(stream)
    while stream:
        some, stream = stream[:group], stream[group:]
        context = some[0][0]
        alike = [item for item in some if item[0] is context]
        stream = [item for item in some if item[0] is not context] + stream
        parts: dict[str, Any] = {
            name: [item[1] for item in alike if item[2] == name] for name in ("events", "inferences")
        }
        send(again, {"sent_at": T0.isoformat(), "context": context, **parts})

    assert everything(databases) == in_order


def test_of_two_answers_to_one_question_the_later_stands_and_is_counted(
    collector: Collector, either: Databases
) -> None:
    send(collector, a_batch(an_answer("e2", 5, submission="s")))
    send(collector, a_batch(an_answer("e1", 2, submission="s", at=T0 - timedelta(hours=2))))
    send(collector, a_batch(an_answer("e3", 4, submission="s", at=T0 - timedelta(seconds=1))))

    with either.ingest() as session:
        assert session.execute(sa.select(ANSWERS.c.value, ANSWERS.c.uuid)).all() == [("5", "e2")]
        assert session.execute(sa.select(CELLS.c.bucket, CELLS.c.n, CELLS.c.total)).all() == [(5, 1, 5)]


def test_parts_of_one_submission_arrive_in_any_order(collector: Collector, either: Databases) -> None:
    why: dict[str, Any] = {"answers": [{"question": "q_why", "value": ["wrong", "slow"]}]}
    send(collector, a_batch(an_answer("e2", submission="s", **why)))
    send(collector, a_batch(an_answer("e1", 2, submission="s", at=T0 - timedelta(hours=1))))

    with either.ingest() as session:
        rows = session.execute(sa.select(ANSWERS.c.question, ANSWERS.c.value).order_by(ANSWERS.c.question)).all()
    assert rows == [("q_csat", "2"), ("q_why", '["slow","wrong"]')]


def test_an_answer_that_the_database_cannot_take_costs_no_other(collector: Collector, either: Databases) -> None:
    with either.ingest.begin() as session:
        if either.ingest_engine.dialect.name == "sqlite":
            session.execute(
                sa.text(
                    "CREATE TRIGGER poison BEFORE INSERT ON inbox WHEN NEW.uuid = 'bad' "
                    "BEGIN SELECT RAISE(ABORT, 'poison'); END"
                )
            )
        else:
            session.execute(sa.text("ALTER TABLE inbox ADD CONSTRAINT poison CHECK (uuid <> 'bad')"))

    assert send(collector, a_batch(an_answer("a"), an_answer("bad"), an_answer("b"))) == [
        "accepted",
        "rejected",
        "accepted",
    ]
    with either.ingest() as session:
        assert sorted(session.scalars(sa.select(POLL_EVENTS.c.uuid))) == ["a", "b"]


def test_a_database_that_is_away_is_no_fault_of_the_item(databases: Databases, settings: Settings) -> None:
    with databases.control.begin() as session:
        a_running_poll(session)
    with databases.ingest.begin() as session:
        session.execute(sa.text("DROP TABLE poll_events"))

    with pytest.raises(OverloadedError) as caught:
        send(Collector(databases, settings), a_batch(an_answer("e1")))
    assert caught.value.retry_after_s >= 1


def test_a_connection_that_broke_meanwhile_is_renewed_without_a_word(collector: Collector, either: Databases) -> None:
    assert send(collector, a_batch(an_answer("e1"))) == ["accepted"]
    sink = collector.commits._sink
    assert isinstance(sink, InboxSink)
    for connection in sink._open.values():
        connection.close()

    assert send(collector, a_batch(an_answer("e1"), an_answer("e2"))) == ["duplicate", "accepted"]


def test_a_new_version_of_a_poll_is_known_at_once_and_old_answers_still_fit(
    collector: Collector, either: Databases
) -> None:
    from tests.feedback.sending import POLL, a_poll

    old = send(collector, a_batch(an_answer("e1", poll_version=1)))
    questions = [{"id": "q_new", "type": "nps", "question": "Recommend?"}, *POLL["questions"][1:]]
    with either.control.begin() as session:
        store.save_poll(session, a_poll(questions=questions), app="demo", model="kws", by="U0DANA", now=at(0))
    newer = an_answer("e2", poll_version=2, answers=[{"question": "q_new", "value": 9}])
    misses = Collector(either, some_settings(Path()))

    assert old == ["accepted"]
    assert send(misses, a_batch(newer, an_answer("e3", poll_version=1))) == ["accepted", "accepted"]


def test_while_one_thread_reads_the_polls_again_the_others_go_on(
    either: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    with either.control.begin() as session:
        poll = a_running_poll(session)
    book = ingest.PollBook(either)
    known = book.find("demo", poll.poll.id, None)
    monkeypatch.setattr(ingest, "POLLS_KEPT_S", -1.0)
    found: list[object] = []
    looked: list[object] = []

    @sa.event.listens_for(either.control_engine, "begin")
    def _meanwhile(connection: object) -> None:
        looked.append(connection)
        if len(looked) == 1:
            another = threading.Thread(target=lambda: found.append(book.find("demo", poll.poll.id, None)))
            another.start()
            another.join(30)

    assert book.find("demo", poll.poll.id, None) == known
    assert known is not None
    assert found == [known]
    assert len(looked) == 1
