"""Jobs commit with their decision, run once, survive kill -9, and wait out other people's outages."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core import engine
from core.clock import system_clock
from core.db import Databases, open_databases
from core.settings import Settings

PATIENCE_S = 60


@pytest.fixture
def world(settings: Settings) -> Iterator[Databases]:
    engine.migrate(settings)
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    queue = engine.attach(databases, settings)
    yield databases
    queue.client.destroy()
    databases.dispose()


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []

    def start_worker(name: str, patience_s: float = 90.0) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.core.engine_process", str(tmp_path), name, settings.database_url]
        command.append(str(patience_s))
        running.append(subprocess.Popen(command))
        return running[-1]

    yield start_worker
    for process in running:
        process.kill()
        process.wait()


def notes(folder: Path) -> list[str]:
    path = folder / "notes"
    return [line for line in path.read_text().splitlines() if line != "tick"] if path.exists() else []


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "waited a minute in vain"
        time.sleep(0.05)


def test_a_job_runs_once_if_its_transaction_commits(
    world: Databases, start: Callable[[str], object], tmp_path: Path
) -> None:
    with world.control.begin() as session:
        engine.enqueue(session, "write_down", key="a", what="kept")
    with world.control() as session:
        engine.enqueue(session, "write_down", key="b", what="rolled back")
        session.rollback()
    with world.control.begin() as session:
        engine.enqueue(session, "write_down", key="a", what="the same key again")
        engine.enqueue(session, "write_down", key="c", what="last")

    start("w1")

    until(lambda: {"kept", "last"} <= set(notes(tmp_path)))
    assert sorted(notes(tmp_path)) == ["kept", "last"]


def test_a_job_cut_off_by_kill_runs_again_when_its_worker_is_back(
    world: Databases, start: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    with world.control.begin() as session:
        engine.enqueue(session, "hang_once", key="h", what="it")
    first = start("w1")
    until(lambda: "w1 begins it" in notes(tmp_path))
    first.kill()
    (tmp_path / "let go").touch()

    start("w1")

    until(lambda: "w1 ends it" in notes(tmp_path))


def test_a_second_worker_of_the_same_name_is_refused_and_runs_none_of_its_jobs(
    world: Databases, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    with world.control.begin() as session:
        engine.enqueue(session, "hang_once", key="h", what="it")
    start("w1")
    until(lambda: "w1 begins it" in notes(tmp_path))

    second = start("w1", patience_s=0.1)

    assert second.wait(timeout=PATIENCE_S) == 2
    begun, told = notes(tmp_path)
    assert (begun, "MUSTER_WORKER_ID: another worker is called w1" in told) == ("w1 begins it", True)


def test_the_next_worker_of_a_name_starts_once_the_last_has_ended(
    world: Databases, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    last = start("w1")
    until(lambda: (tmp_path / "notes").exists())
    start("w1")
    last.terminate()
    assert last.wait(timeout=PATIENCE_S) == 0

    with world.control.begin() as session:
        engine.enqueue(session, "write_down", key="a", what="by the next")

    until(lambda: notes(tmp_path) == ["by the next"])


def test_another_worker_takes_over_from_one_that_fell_silent(
    world: Databases, start: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    with world.control.begin() as session:
        engine.enqueue(session, "hang_once", key="h", what="it")
    first = start("w1")
    until(lambda: "w1 begins it" in notes(tmp_path))
    first.kill()
    (tmp_path / "let go").touch()
    engine.beat(world, "w1", system_clock() - timedelta(minutes=2))

    start("w2")

    until(lambda: "w2 ends it" in notes(tmp_path))


def test_an_outage_is_waited_out_and_a_final_no_is_kept_for_people_to_see(
    world: Databases, start: Callable[[str], object], tmp_path: Path
) -> None:
    with world.control.begin() as session:
        engine.enqueue(session, "fail_twice", key="f", what="call")
        engine.enqueue(session, "give_up", key="g", what="refused")

    start("w1")

    until(lambda: notes(tmp_path).count("call") == 3)
    with world.control() as session:
        until(lambda: [failed.job for failed in engine.failed_jobs(session)] == ["give_up"])
    assert notes(tmp_path).count("refused") == 1


def test_one_slow_address_holds_up_neither_other_addresses_nor_other_work(
    world: Databases, start: Callable[[str], object], tmp_path: Path
) -> None:
    with world.control.begin() as session:
        for number in range(20):
            engine.enqueue(session, "deliver_webhook", key=f"s{number}", what=str(number), webhook="slow")
    start("w1")
    until(lambda: len(notes(tmp_path)) == 2)

    with world.control.begin() as session:
        engine.enqueue(session, "deliver_webhook", key="q", what="message", webhook="quick")
        engine.enqueue(session, "write_down", key="a", what="other work")

    until(lambda: {"quick message", "other work"} <= set(notes(tmp_path)))
    assert sum(line.startswith("w1 begins slow") for line in notes(tmp_path)) == 2


def test_waits_grow_to_the_cap() -> None:
    assert [engine.wait_before(attempt, cap_s=300) for attempt in (2, 3, 4, 12, 10_000)] == [1, 2, 4, 300, 300]


@pytest.mark.parametrize(
    ("asked_s", "wait_s"),
    [(0.5, 2), (90.0, 90), (3600.0, 3600), (1e9, 86_400), (float("inf"), 86_400), (float("nan"), 2)],
)
def test_the_other_side_may_ask_for_a_day_at_most(asked_s: float, wait_s: float) -> None:
    """A hostile webhook's Retry-After of twenty digits must neither end the retries nor put them off for years."""
    assert engine.wait_before(3, cap_s=300, asked_s=asked_s) == wait_s


def test_a_tick_is_put_in_line_once_for_two_workers(
    world: Databases, start: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    workers = [start("w1"), start("w2")]
    until(lambda: (tmp_path / "notes").exists() and (tmp_path / "notes").read_text().count("tick") >= 6)
    for worker in workers:
        worker.terminate()
    assert [worker.wait(timeout=PATIENCE_S) for worker in workers] == [0, 0]

    with world.control() as session:
        queue = session.info["queue"]
        ticks = queue.client.list_workflows(status="SUCCESS", workflow_id_prefix="tick/")
    assert len(ticks) == (tmp_path / "notes").read_text().count("tick")
