"""Durable single responses per second, against Flask's hello-world and an ORM commit per request, in one run.

`python -m bench.ingest` starts the three servers under granian with the same settings, sends to them in turn (so that
a busy machine is unfair to none), prints their rates as ratios, and checks that every acknowledged response is stored
once. `--postgres URL` does the same on PostgreSQL, in a schema of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from bench.load import Outcome, run
from core.db import Control, Databases, Ingest, open_databases
from core.keys import create_key
from feedback import polls, store
from feedback.tables import POLL_EVENTS

ROOT = Path(__file__).parent.parent
NAMES = ("ours", "hello", "orm")
POLL = {"id": "p", "name": "P", "questions": [{"id": "q", "type": "csat", "question": "Right?"}]}
CHIPS = ("Helio G35", "Tensor G2", "Exynos 850", "Snapdragon 8 Gen 2", "A15")
SCHEMA = "muster_bench"


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = _urls(Path(folder), options.postgres)
        databases = open_databases(urls["MUSTER_DATABASE_URL"], urls["MUSTER_INGEST_URL"])
        stack.callback(databases.dispose)
        new_request = requests(_prepare(databases))
        ports = {name: stack.enter_context(server(name, urls, threads=options.threads)) for name in NAMES}

        def slot(name: str, seconds: float) -> Outcome:
            return run(("127.0.0.1", ports[name]), new_request, seconds=seconds, connections=options.connections)

        warm = {name: [slot(name, 1.0)] for name in NAMES}
        rounds: dict[str, list[Outcome]] = {name: [] for name in NAMES}
        for _ in range(options.rounds):
            for name in random.sample(NAMES, k=len(NAMES)):
                rounds[name].append(slot(name, options.seconds))
        acknowledged = [tag for outcome in warm["ours"] + rounds["ours"] for tag in outcome.tags]
        lost, doubled = _compare(databases, acknowledged)
    return _report(rounds, acknowledged, lost, doubled, floor=0.5 if options.postgres else 1.2)


def requests(key: str) -> Callable[[], tuple[str, bytes]]:
    """Return a function that makes the next request and names its uuid: another install and another device each."""
    numbers = itertools.count()
    head = (
        "POST /v1/responses HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: "
    )
    now = datetime.now(UTC).isoformat()

    def make() -> tuple[str, bytes]:
        number = next(numbers)
        # Time-ordered (UUIDv7), as phones are told to choose them.
        tag = f"{time.time_ns() // 1_000_000:012x}7{uuid.uuid4().hex[13:]}"
        context = {
            "install": f"install-{number % 50_000}",
            "app.version": "5.4.1",
            "os.name": "Android",
            "os.version": str(10 + number % 5),
            "device.class": ("low", "mid", "high")[number % 3],
            "soc": CHIPS[number % len(CHIPS)],
            "locale": "de-DE",
            "accelerator": "nnapi",
            "model": {
                "name": "kws",
                "version": "1.4.0",
                "release": "rel_1",
                "arm": ("baseline", "candidate")[number % 2],
            },
        }
        answers = [{"question": "q", "value": 1 + number % 5}]
        body = {"uuid": tag, "poll": "p", "submission": tag, "timestamp": now, "answers": answers, "context": context}
        data = json.dumps(body)
        return tag, f"{head}{len(data)}\r\n\r\n{data}".encode()

    return make


@contextmanager
def server(name: str, urls: dict[str, str], *, threads: int) -> Iterator[int]:
    """Run one of bench/ingest_servers.py under granian; give its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--factory",
        "--workers",
        "1",
        "--port",
        str(port),
    ]
    command += ["--blocking-threads", str(threads), "--no-ws", "--log-level", "error", f"bench.ingest_servers:{name}"]
    secrets = {"MUSTER_SECRET_KEY": "x" * 32, "MUSTER_HASH_KEY": "y" * 32, "MUSTER_RATE_LIMIT_PER_S": "1000000"}
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **secrets, **urls})
    try:
        _wait_for(port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server")
    parser.add_argument("--connections", type=int, default=32, help="requests under way at once")
    parser.add_argument("--threads", type=int, default=16, help="blocking threads of each server")
    parser.add_argument("--postgres", metavar="URL", help="postgresql+psycopg://…; SQLite without it")
    return parser.parse_args()


def _urls(folder: Path, postgres: str | None) -> dict[str, str]:
    if postgres is None:
        names = {"MUSTER_DATABASE_URL": "control", "MUSTER_INGEST_URL": "ingest", "BENCH_ORM_URL": "orm"}
        return {name: f"sqlite:///{folder}/{file}.db" for name, file in names.items()}
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
    engine.dispose()
    url = f"{postgres}?options=-csearch_path%3D{SCHEMA}"
    return {"MUSTER_DATABASE_URL": url, "MUSTER_INGEST_URL": url, "BENCH_ORM_URL": url}


def _prepare(databases: Databases) -> str:
    """Make tables, a running poll and a key; return the key."""
    Control.metadata.create_all(databases.control_engine)
    Ingest.metadata.create_all(databases.ingest_engine)
    now = datetime.now(UTC)
    with databases.control.begin() as session:
        stored = store.save_poll(session, polls.from_json(POLL), app="bench", model="kws", by="bench", now=now)
        store.set_poll_status(session, stored.ref, "running", now=now)
        return create_key(session, app="bench", scope="public", name="bench", now=now)[1]


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


def _compare(databases: Databases, acknowledged: list[str]) -> tuple[int, int]:
    """Return how many acknowledged responses are not stored, and how many are stored more than once."""
    with databases.ingest() as session:
        stored = list(session.scalars(sa.select(POLL_EVENTS.c.uuid)))
    return len(set(acknowledged) - set(stored)), len(stored) - len(set(stored))


def _report(rounds: dict[str, list[Outcome]], acknowledged: list[str], lost: int, doubled: int, *, floor: float) -> int:
    rate = {name: statistics.median(outcome.per_second for outcome in turns) for name, turns in rounds.items()}
    print(f"{'server':<34}{'responses/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'not 200':>9}")
    about = {
        "ours": "Muster, stored durably",
        "hello": "Flask hello-world, stores nothing",
        "orm": "Flask, ORM commit each",
    }
    for name, turns in rounds.items():
        p50, p99 = (statistics.median(turn.percentile_ms(percent) for turn in turns) for percent in (50, 99))
        others = sum(turn.others for turn in turns)
        print(f"{about[name]:<34}{rate[name]:>12.0f}{p50:>9.1f}{p99:>9.1f}{others:>9}")
    verdicts = []
    for other, least in (("hello", floor), ("orm", 30.0 if floor > 1 else 0.0)):
        ratios = sorted(a.per_second / b.per_second for a, b in zip(rounds["ours"], rounds[other], strict=True))
        ratio = statistics.median(ratios)
        verdicts.append(ratio >= least)
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"ours / {other:<6} {ratio:>7.2f} x  ({spread}; floor {least:g}) {'ok' if verdicts[-1] else 'BELOW'}")
    print(f"acknowledged {len(acknowledged)}, lost {lost}, stored twice {doubled}")
    return 0 if all(verdicts) and not lost and not doubled else 1


if __name__ == "__main__":
    raise SystemExit(main())
