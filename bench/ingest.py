"""Rows 1 to 3 of the numbers to reach: durable responses and batches per second, and what one event costs.

`python -m bench.ingest` starts servers under granian (Muster in its event loop, a Flask that stores nothing, a Flask
with an ORM commit for each request, as it comes and on our settings of SQLite), sends to them in turn, so that a busy
machine is unfair to none, and prints rates, processor time and ratios. Beside Muster's a process folds, as the worker
does. Then batches of 50 go to Muster, in turn with a loop that only writes rows to the same database (100 a
transaction; COPY on PostgreSQL). In the end every acknowledged item must be stored once. `--postgres URL` does it on
PostgreSQL, in a schema of its own; `--jobs` sends in more turns while a process computes at a low priority and reads as
ticks do, as fast as it goes and at half of that rate; `--busy` computes on every core beside it all.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.load import Outcome, run
from bench.raw_rows import RawRows
from bench.serving import cpu_s, folding, jobs, neighbors, prepare, server, urls_for
from core.db import Databases
from feedback.tables import INBOX, INFERENCES, POLL_EVENTS

RIVALS = ("hello", "orm", "wal")
ABOUT = {
    "ours": "Muster, stored durably",
    "hello": "Flask hello-world, stores nothing",
    "orm": "Flask, ORM commit each, as it comes",
    "wal": "the same, log written ahead",
    "batch": "Muster, batches of 50",
    "jobs": "Muster, responses while jobs run",
    "half": "Muster, at half of its rate",
    "half jobs": "Muster, at half of it while jobs run",
}
CHIPS = ("Helio G35", "Tensor G2", "Exynos 850", "Snapdragon 8 Gen 2", "A15")
BATCH = 50
MOST_A_SECOND = 15_000


@dataclass(slots=True)
class Turns:
    """What one server did; `cpu_s` is of the server, `folding_s` that of folding all of it, also after the turn."""

    outcomes: list[Outcome] = field(default_factory=list)
    cpu_s: float = 0.0
    folding_s: float = 0.0

    @property
    def requests(self) -> int:
        return sum(len(outcome.tags) for outcome in self.outcomes)

    @property
    def per_second(self) -> float:
        return statistics.median(outcome.per_second for outcome in self.outcomes)


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = urls_for(Path(folder), options.postgres)
        stack.enter_context(neighbors(os.cpu_count() or 1 if options.busy else 0))
        databases, key = prepare(urls)
        stack.callback(databases.dispose)
        names = ("ours", *(RIVALS if options.postgres is None else RIVALS[:2]))
        servers = {name: stack.enter_context(server(name, urls, threads=options.threads)) for name in names}
        folder_process = stack.enter_context(folding(urls))
        requests = {**dict.fromkeys(names, responses(key)), "batch": batches(key)}
        requests |= dict.fromkeys(("jobs", "half", "half jobs"), responses(key)) if options.jobs else {}
        turns = {name: Turns() for name in requests}
        raw = RawRows(urls["MUSTER_INGEST_URL"])

        def take(name: str, seconds: float, *, counts: bool = True) -> None:
            port, process = servers[name if name in names else "ours"]
            made = _made(requests[name], seconds, BATCH if name == "batch" else 1)
            before, folded = cpu_s(process), cpu_s(folder_process)
            rate = turns["ours"].per_second / 2 if name.startswith("half") and counts else None
            with jobs(urls) if name.endswith("jobs") else nullcontext():
                outcome = run(
                    ("127.0.0.1", port), made, seconds=seconds, connections=options.connections, per_second=rate
                )
            acknowledged.extend(outcome.tags if name not in RIVALS else ())
            used = cpu_s(process) - before
            _drain(databases)
            if counts:
                turns[name].outcomes.append(outcome)
                turns[name].cpu_s += used
                turns[name].folding_s += cpu_s(folder_process) - folded

        acknowledged: list[str] = []
        for name in turns:
            take(name, 1.0, counts=False)
        raws = []
        for _ in range(options.rounds):
            for name in sorted(random.sample(tuple(turns), k=len(turns)), key=lambda name: name.startswith("half")):
                take(name, options.seconds)
            raws.append(raw.per_second(options.seconds))
        lost, doubled = _compare(databases, acknowledged)
    return _report(turns, raws, len(acknowledged), lost, doubled, is_sqlite=options.postgres is None)


Request = Callable[[], tuple[str, bytes]]


def responses(key: str) -> Request:
    """Return a function that makes the next response and names its uuid: another install and another device each."""
    numbers = itertools.count()
    now = datetime.now(UTC).isoformat()

    def make() -> tuple[str, bytes]:
        number, tag = next(numbers), _uuid()
        answers = [{"question": "q", "value": 1 + number % 5}]
        body = {"uuid": tag, "poll": "p", "submission": tag, "timestamp": now, "answers": answers}
        return tag, _request("/v1/responses", key, body | {"context": _context(number)})

    return make


def batches(key: str) -> Request:
    """Return a function that makes the next batch: a phone's ten answers and forty hours, and names its first uuid."""
    numbers = itertools.count()
    now = datetime.now(UTC).isoformat()
    latency = {"scheme": "log2x4", "buckets": {"20": 31, "21": 180, "22": 150, "23": 51}, "sum": 18234.0, "max": 96.0}

    def make() -> tuple[str, bytes]:
        number, tag = next(numbers), _uuid()
        named = [tag, *(_uuid() for _ in range(BATCH - 1))]
        said = {"event": "poll answered", "timestamp": now, "poll": "p", "answers": [{"question": "q", "value": 4}]}
        ran = {"window_start": now, "count": 412, "errors": {"timeout": 1}, "latency_ms": latency, "thermal": "nominal"}
        events = [{"uuid": each, "submission": each, **said} for each in named[:10]]
        inferences = [{"uuid": each, **ran} for each in named[10:]]
        body = {"sent_at": now, "context": _context(number), "events": events, "inferences": inferences}
        return tag, _request("/v1/batch", key, body)

    return make


def _uuid() -> str:
    """Return a time-ordered uuid (version 7), as phones are told to choose them."""
    return f"{time.time_ns() // 1_000_000:012x}7{uuid.uuid4().hex[13:]}"


def _context(number: int) -> dict[str, Any]:
    model = {"name": "kws", "version": "1.4.0", "release": "rel_1", "arm": ("baseline", "candidate")[number % 2]}
    return {
        "install": f"install-{number % 50_000}",
        "app.version": "5.4.1",
        "os.name": "Android",
        "os.version": str(10 + number % 5),
        "device.class": ("low", "mid", "high")[number % 3],
        "soc": CHIPS[number % len(CHIPS)],
        "locale": "de-DE",
        "accelerator": "nnapi",
        "model": model,
    }


def _request(path: str, key: str, body: Mapping[str, Any]) -> bytes:
    data = json.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: Bearer {key}\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n{data}".encode()


def _made(make: Request, seconds: float, items: int) -> Request:
    """Make requests before the clock starts; past those, make them one by one."""
    ready: Iterator[tuple[str, bytes]] = iter([make() for _ in range(int(seconds * MOST_A_SECOND / items))])
    return lambda: next(ready, None) or make()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server")
    parser.add_argument("--connections", type=int, default=64, help="requests under way at once")
    parser.add_argument("--threads", type=int, default=16, help="blocking threads of the rivals")
    parser.add_argument("--jobs", action="store_true", help="also send while an optimization and ticks run")
    parser.add_argument("--busy", action="store_true", help="with other work on every core")
    parser.add_argument("--postgres", metavar="URL", help="postgresql+psycopg://…; SQLite without it")
    return parser.parse_args()


def _drain(databases: Databases) -> None:
    """Wait until all is folded, so that nobody else's turn pays for it."""
    with databases.ingest() as session:
        while session.scalar(sa.select(sa.exists().select_from(INBOX))):
            session.rollback()
            time.sleep(0.02)


def _compare(databases: Databases, acknowledged: list[str]) -> tuple[int, int]:
    """Return how many acknowledged items are not stored, and how many are stored more than once."""
    _drain(databases)
    with databases.ingest() as session:
        stored = [*session.scalars(sa.select(POLL_EVENTS.c.uuid)), *session.scalars(sa.select(INFERENCES.c.uuid))]
    return len(set(acknowledged) - set(stored)), len(stored) - len(set(stored))


def _report(
    turns: dict[str, Turns], raws: list[float], acknowledged: int, lost: int, doubled: int, *, is_sqlite: bool
) -> int:
    print(f"{'server':<36}{'requests/s':>11}{'p50 ms':>8}{'p99 ms':>8}{'CPU µs':>8}{'folding µs':>11}{'not 200':>8}")
    for name, each in turns.items():
        p50, p99 = (statistics.median(turn.percentile_ms(percent) for turn in each.outcomes) for percent in (50, 99))
        cost, folded = (seconds / each.requests * 1e6 for seconds in (each.cpu_s, each.folding_s))
        others = sum(turn.others for turn in each.outcomes)
        told = f"{each.per_second:>11.0f}{p50:>8.1f}{p99:>8.1f}{cost:>8.0f}{folded:>11.0f}{others:>8}"
        print(f"{ABOUT[name]:<36}{told}")
    print(
        f"{'rows/s of ' + ('executemany, 100 a commit' if is_sqlite else 'COPY'):<36}{statistics.median(raws):>11.0f}"
    )
    items = [outcome.per_second * BATCH for outcome in turns["batch"].outcomes]
    per_event_ms = (turns["batch"].cpu_s + turns["batch"].folding_s) / turns["batch"].requests / BATCH * 1000
    rates = {name: [outcome.per_second for outcome in each.outcomes] for name, each in turns.items()}
    verdicts = [
        _verdict("responses / hello-world", rates["ours"], rates["hello"], 1.2 if is_sqlite else 0.5),
        _verdict("responses / ORM commit each", rates["ours"], rates["orm"], 30.0 if is_sqlite else 0.0),
        *([_verdict("the same, log written ahead", rates["ours"], rates["wal"], 0.0)] if is_sqlite else []),
        _verdict("items in batches / raw rows", items, raws, 0.8 if is_sqlite else 0.25),
    ]
    if "jobs" in turns:
        for what, names in (
            ("p99 alone / while jobs run", ("ours", "jobs")),
            ("the same at half", ("half", "half jobs")),
        ):
            alone, beside = ([turn.percentile_ms(99) for turn in turns[name].outcomes] for name in names)
            verdicts.append(_verdict(what, alone, beside, 1 / 1.5))
    is_cheap = per_event_ms <= 0.2
    word = "ok" if is_cheap else "ABOVE"
    print(f"{'CPU per event at batch 50, folded':<34}{per_event_ms:>7.3f} ms (at most 0.2) {word}")
    print(f"acknowledged {acknowledged}, lost {lost}, stored twice {doubled}")
    return 0 if all(verdicts) and is_cheap and not lost and not doubled else 1


def _verdict(what: str, ours: list[float], others: list[float], floor: float) -> bool:
    ratios = sorted(a / b for a, b in zip(ours, others, strict=True))
    ratio = statistics.median(ratios)
    word = "ok" if ratio >= floor else "BELOW"
    print(f"{what:<30}{ratio:>7.2f} x  ({ratios[0]:.2f} to {ratios[-1]:.2f}; floor {floor:g}) {word}")
    return ratio >= floor


if __name__ == "__main__":
    sys.exit(main())
