"""A history, and the same history replayed and shuffled: tables and cells must come out identical, to the byte.

`python -m bench.replay [--events 1000000] [--times 10]` makes a history of events (answers that are changed later,
installs that change devices, hours that are reported twice) as a stream, takes it in in order, and hashes all tables.
Each further time the batches come in another order, one in twenty twice, folded in portions of another size.
`--processes N` plays so many at once, each into databases of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from bench.serving import prepare, settings_for, urls_for
from core.db import Databases, Ingest
from feedback.fold import fold_some
from feedback.ingest import Collector

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BATCH = 100
CHIPS = ("Helio G35", "Tensor G2", "Exynos 850", "Snapdragon 8 Gen 2", "A15")
FOLD_AFTER_BATCHES = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--postgres", metavar="URL", help="postgresql+psycopg://…; SQLite without it")
    parser.add_argument("--processes", type=int, default=1, help="on SQLite only")
    options = parser.parse_args()
    turns = range(options.times + 1)
    play = partial(_take_turn, options.events // BATCH, options.postgres)
    first = ""
    with ProcessPoolExecutor(1 if options.postgres else options.processes) as pool:
        for turn, (digest, counted, took_s) in zip(turns, pool.map(play, turns), strict=True):
            first = first or digest
            word = "in order" if turn == 0 else "the same" if digest == first else "DIFFERENT"
            print(f"{turn:>3}  {digest[:16]}  {counted} ratings in cells  {took_s:6.1f} s  {word}", flush=True)
            if digest != first:
                pool.shutdown(cancel_futures=True)
                return 1
    return 0


def batch(number: int) -> bytes:
    """Return the body of one batch of the history; the same number makes the same one."""
    one = random.Random(f"batch {number}")
    install = one.randint(0, 20_000)
    model = {"name": "kws", "version": "1.4.0", "release": "rel_1", "arm": ("baseline", "candidate")[install % 2]}
    context = {
        "install": f"install-{install}", "os.name": ("Android", "iOS")[install % 2], "model": model,
        "device.class": ("low", "mid", "high")[one.randint(0, 2)], "soc": one.choice(CHIPS),
    }  # fmt: skip
    events = [_event(f"{number}-{each}", install, one) for each in range(BATCH // 2)]
    inferences = [_hour(f"{number}-{each}", one) for each in range(BATCH // 2)]
    return msgspec.json.encode({"sent_at": NOW, "context": context, "events": events, "inferences": inferences})


def _event(uuid: str, install: int, one: random.Random) -> dict[str, Any]:
    answers = [{"question": "q", "value": one.randint(1, 5)}]
    at = NOW - timedelta(minutes=one.randint(1, 60 * 24 * 14))
    submission = f"{install}-{one.randint(0, 40)}"
    return {
        "uuid": uuid,
        "event": "poll answered",
        "timestamp": at,
        "poll": "p",
        "submission": submission,
        "answers": answers,
    }


def _hour(uuid: str, one: random.Random) -> dict[str, Any]:
    start = NOW - timedelta(hours=one.randint(1, 24 * 14))
    buckets = {str(one.randint(16, 28)): one.randint(1, 200) for _ in range(4)}
    errors = {"crash": int(one.random() < 0.02), "timeout": int(one.random() < 0.05)}
    latency = {"scheme": "log2x4", "buckets": buckets}
    return {
        "uuid": uuid,
        "window_start": start,
        "count": sum(buckets.values()),
        "errors": errors,
        "latency_ms": latency,
    }


def _shuffled(numbers: list[int], shuffler: random.Random) -> list[int]:
    order = numbers + shuffler.sample(numbers, k=len(numbers) // 20)
    shuffler.shuffle(order)
    return order


def _take_turn(batches: int, postgres: str | None, turn: int) -> tuple[str, int, float]:
    """Play the history in order (turn 0) or shuffled; return a hash of all tables, ratings in cells and seconds."""
    shuffler, begun = random.Random(turn), time.monotonic()
    order = list(range(batches))
    if turn > 0:
        order = _shuffled(order, shuffler)
    digest, counted = _play(order, fold_rows=1_000 if turn == 0 else shuffler.randint(50, 3_000), postgres=postgres)
    return digest, counted, time.monotonic() - begun


def _play(order: Iterable[int], *, fold_rows: int, postgres: str | None) -> tuple[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        urls = urls_for(Path(folder), postgres)
        databases, _ = prepare(urls)
        collector = Collector(databases, settings_for(urls))
        for played, number in enumerate(order, 1):
            reply = collector.accept_batch(batch(number), app="bench", now=NOW)
            assert reply.rejected == 0, reply.results[0]
            if played % FOLD_AFTER_BATCHES == 0:
                _fold(databases, fold_rows)
        _fold(databases, fold_rows)
        digest = hashlib.sha256()
        for line in _lines(databases):
            digest.update(line)
        with databases.ingest() as session:
            counted = session.scalar(sa.text("SELECT sum(n) FROM cells WHERE metric = 'csat'"))
        databases.dispose()
        return digest.hexdigest(), int(counted or 0)


def _fold(databases: Databases, rows: int) -> None:
    while fold_some(databases.ingest, rows=rows):
        pass


def _lines(databases: Databases) -> Iterator[bytes]:
    """Yield every row of every table, in key order."""
    with databases.ingest() as session:
        for table in Ingest.metadata.sorted_tables:
            found = session.execute(
                sa.select(table).order_by(*table.primary_key.columns), execution_options={"yield_per": 5_000}
            )
            for row in found:
                yield repr((table.name, *row)).encode()


if __name__ == "__main__":
    raise SystemExit(main())
