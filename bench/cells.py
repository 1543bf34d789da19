"""Do questions grow with history? Times of a guardrail's, a cohort's and the lattice's question at several sizes.

`python -m bench.cells [--events 100000 1000000] [--answers] [--duckdb PYTHON]` fills SQLite with fourteen days of so
many events on 2 000 kinds of devices and prints CPU seconds; every size has the same days, devices and installs. pandas
(and DuckDB, by a Python that has it) counts the same slices from rows in memory; what it takes to read them there is
not counted. `--answers` leaves out what is asked of telemetry.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import sqlalchemy as sa

from bench.cells_fill import ATTRIBUTES, DAYS, POLL, START, Filled, fill, fill_answers
from core.db import Databases, Ingest, open_databases, reading
from core.segments import EVERYONE
from feedback import leaves, polls, store
from feedback.diary_counts import arrivals
from feedback.lattice import Lattice
from feedback.reporting import Asked, report
from feedback.reports import CohortReport
from feedback.store import StoredPoll
from feedback.store_arms import arm_cells
from feedback.store_diaries import read
from feedback.store_leaves import arm_leaves
from feedback.tables import CELLS, CONTEXTS, DIARIES, INFERENCES, SHEETS, SHOWN
from feedback.tables import DAYS as DAY_ROWS

UNTIL = START + timedelta(days=DAYS)
TIMES = 3
POLL_ASKED = {"id": POLL, "name": "P", "questions": [{"id": "q", "type": "csat", "question": "Right?"}]}
Took = dict[str, float]
Told = TypeVar("Told")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cells", description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--duckdb", metavar="PYTHON", help="a Python that has duckdb")
    parser.add_argument("--answers", action="store_true", help="only the tenth that is answers, and the report of them")
    options = parser.parse_args()
    sizes = []
    for events in options.events:
        begun = time.monotonic()
        sizes.append(_answers(events) if options.answers else _measure(events, options.duckdb))
        print(f"{events:,} events filled in and asked in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    print(f"{'CPU seconds':<52}{''.join(f'{events:>12,}' for events in options.events)}{'last / first':>14}")
    for name in sizes[0]:
        numbers = [size[name] for size in sizes]
        shape = ".0f" if name.endswith(": rows") or name == "slices" else ".3f"
        print(f"{name:<52}{''.join(f'{n:>12{shape}}' for n in numbers)}{numbers[-1] / numbers[0]:>14.2f}")


def _answers(events: int) -> Took:
    with _filled(fill_answers, events) as (databases, _):
        return _of_reports(databases)


def _measure(events: int, duckdb: str | None) -> Took:
    with _filled(fill, events) as (databases, filled):
        took = _asked(databases) | _of_reports(databases)
        table = _leaves(databases)
        lattice_s, lattice = _timed(lambda: _slices(table))
        took |= {"all slices to depth 3, from counts of days: sums": lattice_s}
        rows = pd.DataFrame(_columns(filled)).astype("category").assign(harmed=filled.fell_back)
        took |= {"the same by pandas from rows": _timed(lambda: _by_pandas(rows, lattice), times=1)[0]}
        if duckdb is not None:
            took |= {"the same by DuckDB from rows": _by_duckdb(rows, lattice, duckdb)}
        return took | {"slices": float(lattice.slices)}


@contextmanager
def _filled(work: Callable[[Databases, int], Told], events: int) -> Iterator[tuple[Databases, Told]]:
    with tempfile.TemporaryDirectory() as folder:
        databases = open_databases(f"sqlite:///{folder}/control.db", f"sqlite:///{folder}/ingest.db")
        Ingest.metadata.create_all(databases.ingest_engine)
        yield databases, work(databases, events)
        databases.dispose()


def _of_reports(databases: Databases) -> Took:
    took = _timed(lambda: _report(databases))[0]
    return {"report of ratings by chipset, from sheets": took, "its sheets: rows": _rows(databases, SHEETS)}


def _rows(databases: Databases, table: sa.Table) -> float:
    with reading(databases.ingest) as session:
        return float(session.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def _asked(databases: Databases) -> Took:
    """Ask what Muster asks of its tables: cells for a tick, rows for reports."""

    def ask(question: Callable[[Any], object], times: int = TIMES) -> float:
        with reading(databases.ingest) as session:
            return _timed(lambda: question(session), times=times)[0]

    return {
        "guardrail, from cells": ask(lambda one: arm_cells(one, app="bench", release="rel_1")),
        "its cells: rows": _rows(databases, CELLS),
        "look at a release by device, from diaries": ask(
            lambda one: arm_leaves(
                one, read(one, app="bench", release="rel_1"), app="bench", release="rel_1", metrics={"crash_rate"}
            )
        ),
        "its diaries: rows": _rows(databases, DIARIES),
        "who came and was lost, from diaries": ask(
            lambda one: arrivals(read(one, app="bench", release="rel_1"), version="1.1.0")
        ),
        "the same look by the database, from rows": ask(_look_by_rows, times=1),
        "all slices to depth 3, from counts of days: read": _timed(lambda: _leaves(databases))[0],
        "its counts of days: rows": _rows(databases, DAY_ROWS),
    }


def _look_by_rows(session: Any) -> object:
    """Count install-hours and crashed ones by device, arm and hour, as one would without diaries."""
    row = INFERENCES.c
    hour = sa.func.strftime("%Y-%m-%d %H", row.window_start)
    key = (row.context, row.arm, hour)
    hours = sa.select(*key, sa.func.max(row.crashes > 0).label("crashed")).where(row.release == "rel_1")
    each = hours.where(row.app == "bench").group_by(*key, row.install).subquery().c
    columns = list(each)[:3]
    return session.execute(sa.select(*columns, sa.func.count(), sa.func.sum(each.crashed)).group_by(*columns)).all()


def _report(databases: Databases) -> CohortReport:
    """Ask for a week beside the week before it, past the gate, as nobody had asked for anything before."""
    with databases.ingest.begin() as session:
        session.execute(sa.delete(SHOWN))
    poll = StoredPoll(
        ref="P1", app="bench", model="m", poll=polls.from_json(POLL_ASKED), created_by="U0BENCH", created_at=START,
        updated_at=START,
    )  # fmt: skip
    asked = Asked(model="m", attribute="chipset", since=timedelta(days=DAYS / 2), where=EVERYONE)
    return report(databases, poll, asked, app="bench", minimum=20, now=UNTIL)


def _leaves(databases: Databases) -> leaves.Leaves:
    day, facts = DAY_ROWS.c, [CONTEXTS.c[name] for name in ATTRIBUTES]
    harmed = sa.func.sum(sa.case((day.outcome == "yes", day.n), else_=0))
    source = DAY_ROWS.join(CONTEXTS, CONTEXTS.c.id == day.context)
    statement = sa.select(harmed, sa.func.sum(day.n), *facts).select_from(source)
    wanted = (day.app == "bench", day.model == "m", day.measure == "fallback")
    with store.fresh(databases.ingest) as session:
        harms, reports, *columns = zip(
            *session.execute(statement.where(*wanted).group_by(CONTEXTS.c.id)).all(), strict=True
        )
    return leaves.table(dict(zip(ATTRIBUTES, columns, strict=True)), harms=harms, exposures=reports)


def _slices(table: leaves.Leaves) -> Lattice:
    lattice = Lattice(table, depth=3)
    for cuboid in lattice:
        for column in (table.observed, table.exposures):
            np.bincount(cuboid.numbers, weights=column, minlength=cuboid.size)
    return lattice


def _columns(filled: Filled) -> dict[str, Any]:
    return {name: np.array([getattr(one, name) for one in filled.devices])[filled.leaf] for name in ATTRIBUTES}


def _by_pandas(rows: pd.DataFrame, lattice: Lattice) -> None:
    for choice in lattice.choices:
        names = [lattice.leaves.attributes[place] for place in choice]
        if names:
            rows.groupby(names, observed=True)["harmed"].agg(["sum", "size"])


def _by_duckdb(rows: pd.DataFrame, lattice: Lattice, python: str) -> float:
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        rows.assign(harmed=rows["harmed"].astype(int)).to_csv(file.name, index=False, quoting=csv.QUOTE_MINIMAL)
        command = [python, "-m", "bench.cells_duckdb", file.name]
        told = subprocess.run(
            command, cwd=Path(__file__).parent.parent, capture_output=True, check=True, env={**os.environ}
        )
    slices, cpu_s = told.stdout.split()
    assert int(slices) <= lattice.slices, "it counted others"
    return float(cpu_s)


def _timed(work: Callable[[], Any], *, times: int = TIMES) -> tuple[float, Any]:
    best, found = float("inf"), None
    for _ in range(times):
        begun = time.process_time()
        found = work()
        best = min(best, time.process_time() - begun)
    return best, found


if __name__ == "__main__":
    main()
