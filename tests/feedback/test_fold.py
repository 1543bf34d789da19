from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core.clock import system_clock
from core.db import Databases
from core.privacy import pseudonymize
from feedback import fold, inbox, store
from feedback.ingest import Collector
from feedback.store_items import portion
from feedback.tables import ANSWERS, CELLS, INBOX, INFERENCES, POLL_EVENTS
from tests.builders import T0, some_settings
from tests.feedback.sending import INSTALL, Wire, a_batch, a_context, a_summary, an_answer, statuses
from tests.feedback.test_kill import until

CRASHED: dict[str, Any] = {"errors": {"crash": 1}}


def send(collector: Collector, batch: dict[str, Any]) -> list[str]:
    reply = collector.accept_batch(json.dumps(batch).encode(), app="demo", now=T0)
    return [result.status for result in reply.results]


def waiting(databases: Databases) -> list[str]:
    with databases.ingest() as session:
        return list(session.scalars(sa.select(INBOX.c.uuid).order_by(INBOX.c.uuid)))


def stored(databases: Databases) -> list[str]:
    with databases.ingest() as session:
        found = [session.scalars(sa.select(table.c.uuid)) for table in (POLL_EVENTS, INFERENCES)]
        return sorted(uuid for uuids in found for uuid in uuids)


def ratings_counted(databases: Databases) -> int:
    with databases.ingest() as session:
        return session.scalar(sa.select(sa.func.sum(CELLS.c.n)).where(CELLS.c.metric == "csat")) or 0


def test_what_was_acknowledged_waits_and_is_folded_once(collector: Collector, either: Databases) -> None:
    assert send(collector, a_batch(an_answer("a"), inferences=(a_summary("i"),))) == ["accepted", "accepted"]
    assert (waiting(either), stored(either)) == (["a", "i"], [])

    store.catch_up(either.ingest)
    store.catch_up(either.ingest)

    assert (waiting(either), stored(either)) == ([], ["a", "i"])
    assert ratings_counted(either) == 1


def test_among_many_new_items_those_that_are_known_are_told_and_nothing_is_doubled(
    collector: Collector, either: Databases
) -> None:
    many = [an_answer(f"u{number}") for number in range(1200)]
    send(collector, a_batch(many[3], many[700]))
    fold.fold_some(either.ingest)
    send(collector, a_batch(many[5]))

    told = send(collector, a_batch(*many))

    assert [number for number, status in enumerate(told) if status == "duplicate"] == [3, 5, 700]
    fold.catch_up(either.ingest)
    assert len(stored(either)) == 1200


def test_a_duplicate_is_told_as_one_before_and_after_it_was_folded(collector: Collector, either: Databases) -> None:
    batch = a_batch(an_answer("a"), inferences=(a_summary("i"),))
    send(collector, batch)

    assert send(collector, batch) == ["duplicate", "duplicate"]
    store.catch_up(either.ingest)
    assert send(collector, a_batch(an_answer("a"), an_answer("b"), inferences=(a_summary("i"),))) == [
        "duplicate", "accepted", "duplicate",
    ]  # fmt: skip


def test_an_event_and_a_summary_of_the_same_uuid_are_two_items(collector: Collector, either: Databases) -> None:
    assert send(collector, a_batch(an_answer("x"), inferences=(a_summary("x"),))) == ["accepted", "accepted"]
    store.catch_up(either.ingest)
    assert stored(either) == ["x", "x"]


def test_a_reader_sees_what_was_acknowledged_a_moment_ago(collector: Collector, either: Databases) -> None:
    send(collector, a_batch(an_answer("a", 5)))
    with store.fresh(either.ingest) as session:
        assert session.scalars(sa.select(ANSWERS.c.value)).all() == ["5"]


def test_a_reader_begins_with_the_newest_and_leaves_the_oldest_to_the_worker(
    collector: Collector, either: Databases
) -> None:
    for number in range(250):
        send(collector, a_batch(an_answer(f"u{number:03}")))

    store.catch_up(either.ingest, rows=1)

    assert waiting(either) == [f"u{number:03}" for number in range(150)]
    assert fold.fold_some(either.ingest) == 100
    assert waiting(either) == [f"u{number:03}" for number in range(100, 150)]


def test_a_reader_leaves_phones_half_of_the_time_while_they_send_and_none_when_they_do_not(
    collector: Collector, either: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr("time.sleep", rests.append)
    monkeypatch.setattr(
        fold, "fold_some", lambda sessions, fold_some=fold.fold_some, **which: fold_some(sessions, rows=2, **which)
    )
    send(collector, a_batch(*(an_answer(f"quiet{number}") for number in range(6))))
    store.catch_up(either.ingest)
    assert rests == []

    moments = iter(range(0, 100, 3))

    def a_moment_in_which_a_phone_sends() -> float:
        now = next(moments)
        send(collector, a_batch(an_answer(f"late{now}")))
        return float(now)

    monkeypatch.setattr(fold, "monotonic", a_moment_in_which_a_phone_sends)
    send(collector, a_batch(*(an_answer(f"rush{number}") for number in range(6))))
    store.catch_up(either.ingest)

    assert rests == [3.0, 3.0]
    assert len(stored(either)) == 6 + 6


def test_of_several_that_fold_at_once_each_letter_is_folded_by_one(collector: Collector, either: Databases) -> None:
    for part in range(10):
        answers = [an_answer(f"e{part}-{n}", install=f"install-{n}") for n in range(30)]
        send(collector, a_batch(*answers, inferences=tuple(a_summary(f"s{part}-{n}", **CRASHED) for n in range(10))))
    folders = [threading.Thread(target=store.catch_up, args=(either.ingest,)) for _ in range(4)]
    for folder in folders:
        folder.start()
    for folder in folders:
        folder.join(60)
    store.catch_up(either.ingest)

    assert waiting(either) == []
    assert len(stored(either)) == 400
    assert ratings_counted(either) == 300


def test_a_letter_that_somebody_else_has_folded_meanwhile_is_left_alone(
    collector: Collector, either: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(collector, a_batch(an_answer("a")))
    unpack = inbox.unpack

    def while_another_is_faster(kind: str, payload: bytes) -> inbox.Item:
        monkeypatch.setattr(inbox, "unpack", unpack)
        store.catch_up(either.ingest)
        return unpack(kind, payload)

    monkeypatch.setattr(inbox, "unpack", while_another_is_faster)
    store.catch_up(either.ingest)

    assert (waiting(either), stored(either), ratings_counted(either)) == ([], ["a"], 1)


@pytest.fixture
def poisoned(either: Databases) -> None:
    """Tables that never take the event `bad`, which the inbox does take."""
    with either.ingest.begin() as session:
        if either.ingest_engine.dialect.name == "sqlite":
            session.execute(
                sa.text(
                    "CREATE TRIGGER poison BEFORE INSERT ON poll_events WHEN NEW.uuid = 'bad' "
                    "BEGIN SELECT RAISE(ABORT, 'poison'); END"
                )
            )
        else:
            session.execute(sa.text("ALTER TABLE poll_events ADD CONSTRAINT poison CHECK (uuid <> 'bad')"))


@pytest.mark.usefixtures("poisoned")
def test_a_letter_that_never_fits_is_set_aside_and_holds_up_no_other(collector: Collector, either: Databases) -> None:
    send(collector, a_batch(an_answer("a"), an_answer("bad"), an_answer("b")))
    store.catch_up(either.ingest)
    store.catch_up(either.ingest)

    assert stored(either) == ["a", "b"]
    with either.ingest() as session:
        assert session.execute(sa.select(INBOX.c.uuid, INBOX.c.refused)).all() == [("bad", "IntegrityError")]
    store.forget(either.ingest, now=system_clock() + timedelta(days=20), retention_days=19)
    assert waiting(either) == []


def test_a_letter_that_cannot_be_read_is_set_aside_too(collector: Collector, either: Databases) -> None:
    send(collector, a_batch(an_answer("a"), an_answer("b")))
    with either.ingest.begin() as session:
        session.execute(sa.update(INBOX).where(INBOX.c.uuid == "a").values(payload=b"\x93\x01"))
    store.catch_up(either.ingest)

    assert (waiting(either), stored(either)) == (["a"], ["b"])


def test_when_folding_fails_readers_read_what_is_there(collector: Collector, either: Databases) -> None:
    send(collector, a_batch(an_answer("a")))
    store.catch_up(either.ingest)
    with either.ingest.begin() as session:
        session.execute(sa.text("DROP TABLE cells"))
    send(collector, a_batch(an_answer("b")))

    with store.fresh(either.ingest) as session:
        assert session.scalars(sa.select(POLL_EVENTS.c.uuid)).all() == ["a"]
    assert waiting(either) == ["b"]


def test_an_older_phone_may_be_folded_later_and_nothing_changes(collector: Collector, either: Databases) -> None:
    send(collector, a_batch(an_answer("z", 5, submission="s")))
    send(collector, a_batch(an_answer("y", 2, submission="s", at=T0.replace(hour=1))))
    assert fold.fold_some(either.ingest, rows=1) == 1
    assert fold.fold_some(either.ingest, rows=1) == 1
    assert fold.fold_some(either.ingest, rows=1) == 0

    with either.ingest() as session:
        assert session.scalars(sa.select(ANSWERS.c.value)).all() == ["5"]


@pytest.fixture
def folding(either: Databases) -> Iterator[fold.Folding]:
    thread = fold.Folding(either.ingest, pause_s=0.01)
    thread.start()
    yield thread
    thread.stop()


@pytest.mark.parametrize(
    ("came", "waiting", "turn_s"),
    [
        pytest.param(0, 29_000, 0.005, id="nobody sends: nearly none"),
        pytest.param(100, 29_000, 0.06, id="as many came as were folded: three quarters of the time"),
        pytest.param(9_000, 29_000, 0.78, id="in a rush phones come first"),
        pytest.param(9_000, 30_000, 0.006, id="unless so much waits that readers would wait long"),
    ],
)
def test_how_long_phones_have_the_lock_after_a_portion_of_20_ms(came: int, waiting: int, turn_s: float) -> None:
    pace = fold.Pace()
    pace.turn_s(fold.ROWS, busy_s=0.02, waiting=waiting + fold.ROWS - came)

    assert pace.turn_s(fold.ROWS, busy_s=0.02, waiting=waiting) == pytest.approx(turn_s)


def test_what_waited_already_when_folding_began_is_no_rush() -> None:
    assert fold.Pace().turn_s(fold.ROWS, busy_s=0.02, waiting=9_000) == fold.LEAST_TURN_S


def test_what_came_in_quiet_hours_is_no_rush_later() -> None:
    pace = fold.Pace(pause_s=0.2)
    for _ in range(100):
        assert pace.turn_s(90, busy_s=0.02, waiting=0) == 0.2

    assert pace.turn_s(fold.ROWS, busy_s=0.02, waiting=10) == pytest.approx(0.066)


def test_the_worker_folds_without_being_asked_and_stops_when_told(
    collector: Collector, either: Databases, folding: fold.Folding
) -> None:
    send(collector, a_batch(an_answer("a")))
    looked = threading.Event()
    for _ in range(1000):
        if stored(either):
            break
        looked.wait(0.01)
    folding.stop()

    assert (waiting(either), stored(either)) == ([], ["a"])
    assert not folding.is_alive()


def test_an_item_that_is_being_folded_when_it_comes_again_is_a_duplicate(
    collector: Collector, either: Databases
) -> None:
    send(collector, a_batch(an_answer("a")))
    found: list[list[str]] = []
    again = threading.Thread(target=lambda: found.append(send(collector, a_batch(an_answer("a")))))
    with either.ingest.begin() as session:
        letters = session.execute(sa.select(INBOX.c.id, INBOX.c.kind, INBOX.c.payload)).all()
        fold._claim(session, [letter.id for letter in letters])
        unpacked = [inbox.unpack(letter.kind, letter.payload) for letter in letters]
        fold.write(session, portion(either.ingest_engine.dialect, unpacked))
        again.start()
        if either.ingest_engine.dialect.name == "postgresql":
            until(lambda: waits_for_a_lock(either))
    again.join(20)

    assert (found, waiting(either), stored(either)) == ([["duplicate"]], [], ["a"])


def waits_for_a_lock(databases: Databases) -> bool:
    with databases.control() as session:
        return bool(session.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_an_install_that_was_erased_while_its_letters_waited_does_not_come_back(wire: Wire) -> None:
    batch, other = a_batch(an_answer("a"), inferences=(a_summary("i"),)), a_context(install="another-install")
    for each in (batch, a_batch(an_answer("b"), context=other)):
        assert wire.client.post("/v1/batch", json=each, headers=wire.headers()).status_code == 200
    assert waiting(wire.databases) == ["a", "b", "i"]

    assert wire.delete("/v1/installs/me", X_Muster_Install=INSTALL).status_code == 204
    store.catch_up(wire.databases.ingest)
    assert statuses(wire.batch(batch)) == ["duplicate", "duplicate"]

    install = pseudonymize(INSTALL, some_settings(Path()).hash_key)
    with wire.databases.ingest() as session:
        tables = sa.inspect(session.connection()).get_table_names()
        kept = "".join(str(session.execute(sa.text(f"SELECT * FROM {name}")).all()) for name in tables)
    assert install not in kept
    assert "'b'" in kept


def test_what_waits_is_exported_as_well(wire: Wire) -> None:
    wire.client.post("/v1/batch", json=a_batch(an_answer("a", 3)), headers=wire.headers())
    export = wire.get("/v1/installs/me", X_Muster_Install=INSTALL).json
    assert export is not None
    assert [answer["value"] for answer in export["answers"]] == ["3"]


def test_whatever_is_told_people_or_decided_is_read_after_folding() -> None:
    unfolded = [
        f"{path}:{number}"
        for path in [*Path("bot").rglob("*.py"), *Path("feedback").glob("*_web.py")]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "reading(" in line and "databases.ingest" in line
    ]
    assert unfolded == [], "use store.fresh(databases.ingest)"


def test_a_commit_waits_for_whoever_writes_and_comes_right_after(collector: Collector, either: Databases) -> None:
    done: list[list[str]] = []
    with either.ingest.begin() as session:
        session.execute(sa.delete(INBOX))
        sender = threading.Thread(target=lambda: done.append(send(collector, a_batch(an_answer("a")))))
        sender.start()
    sender.join(30)

    assert done == [["accepted"]]
    assert waiting(either) == ["a"]
