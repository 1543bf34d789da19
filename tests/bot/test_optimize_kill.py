"""A worker is killed in the middle of a search: the next one goes on, repeats no candidate and makes the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slack_sdk import WebClient

from bot.context import Context
from bot.flows import orders
from core import engine
from core.clock import system_clock
from core.db import Databases, open_databases, reading
from core.settings import Settings
from optimize import store
from optimize.store import Job
from tests.bot.models_made import Bench
from tests.bot.workspace import DANA
from tests.conftest import JobList
from tests.optimize.builders import tiny_fixture

pytestmark = pytest.mark.slow
PATIENCE_S = 90.0
Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def world(settings: Settings) -> Iterator[Databases]:
    opened = open_databases(settings.database_url, settings.ingest_database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def bench(world: Databases, settings: Settings) -> Bench:
    """Registers by hand; whatever it orders is for a real worker."""
    list_of_jobs = JobList()
    world.control.configure(info={"queue": list_of_jobs})
    slack = WebClient(token=settings.slack_bot_token, base_url=settings.slack_api_url)
    ctx = Context(settings=settings, clock=system_clock, databases=world, slack=slack, jira=None)
    made = Bench(ctx=ctx, jobs=list_of_jobs)
    made.register_fixture(tiny_fixture())
    engine.attach(world, settings)
    return made


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def begin(name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.bot.optimize_process", str(tmp_path), name, settings.database_url]
        running.append(subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def order(bench: Bench) -> None:
    options = {"recipe": "auto", "budget": "accuracy>-5pt", "cpu": "10s"}
    asked = orders.Asked(target="kws@1.4.0", options=options, by=DANA)
    orders.optimize(bench.ctx, asked, now=system_clock(), dry_run=False)


def job(bench: Bench, ref: str = "J1") -> Job:
    with reading(bench.ctx.databases.control) as session:
        return store.load(session, ref, app="demo")


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def facts_of(bench: Bench) -> dict[Path, int]:
    shelf = bench.ctx.settings.blob_dir / "shelf" / "facts"
    return {path: path.stat().st_mtime_ns for path in shelf.glob("*.json")}


@pytest.mark.parametrize("is_same_worker", [True, False], ids=["the same worker is back", "another takes over"])
def test_a_killed_search_goes_on_without_repeating_a_candidate(
    bench: Bench, start: Start, tmp_path: Path, is_same_worker: bool
) -> None:
    order(bench)
    first = start("w1")
    until(lambda: len((job(bench).progress or {}).get("tried", [])) >= 2)
    first.kill()
    first.wait()
    done = facts_of(bench)
    tried = [each["recipe"] for each in (job(bench).progress or {})["tried"]]
    assert job(bench).state == "running"
    if not is_same_worker:
        engine.beat(bench.ctx.databases, "w1", system_clock() - 3 * engine.DEAD_AFTER)

    start("w1" if is_same_worker else "w2")
    until(lambda: job(bench).has_ended)

    ended = job(bench)
    assert ended.state == "done", ended.result
    assert [each["recipe"] for each in (ended.result or {})["tried"]][: len(tried)] == tried
    assert {path: written for path, written in facts_of(bench).items() if path in done} == done
    assert list(tmp_path.glob(f"{tempfile.gettempprefix()}*/muster-optimize-*")) == []
    assert list(tmp_path.glob("muster-optimize-*")) == []


def test_the_same_order_makes_the_same_bytes_and_recalls_what_is_known(bench: Bench, start: Start) -> None:
    order(bench)
    start("w1")
    until(lambda: job(bench).has_ended)
    facts = facts_of(bench)

    order(bench)
    until(lambda: job(bench, "J2").has_ended)

    first, second = job(bench).result or {}, job(bench, "J2").result or {}
    assert first["variant"] == second["variant"] is not None
    assert facts_of(bench) == facts


def test_a_worker_that_is_told_to_stop_ends_soon_and_the_job_goes_on_elsewhere(bench: Bench, start: Start) -> None:
    order(bench)
    first = start("w1")
    until(lambda: len((job(bench).progress or {}).get("tried", [])) >= 1)

    first.terminate()
    assert first.wait(timeout=PATIENCE_S) == 0
    assert job(bench).state == "running"

    start("w2")
    until(lambda: job(bench).has_ended)
    assert job(bench).state == "done"
