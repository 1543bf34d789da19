"""A process that works as jobs do, for the benches: an optimization's arithmetic in a child, and ticks' reading.

Each second it reads as a tick does, which folds what waits; a real tick comes once a minute.
"""

from __future__ import annotations

import multiprocessing
import os
import threading

import numpy as np
import sqlalchemy as sa

from core.db import open_databases
from feedback import store
from feedback.tables import CELLS

NICENESS = 10


def main() -> None:
    databases = open_databases(os.environ["MUSTER_DATABASE_URL"], os.environ["MUSTER_INGEST_URL"])
    multiprocessing.Process(target=_compute, daemon=True).start()
    pause = threading.Event()
    print("begun", flush=True)
    while not pause.wait(1.0):
        with store.fresh(databases.ingest) as session:
            session.execute(sa.select(CELLS.c.metric, sa.func.sum(CELLS.c.n)).group_by(CELLS.c.metric)).all()


def _compute() -> None:
    os.nice(NICENESS)
    weights = np.random.default_rng(1).normal(size=(400, 400))
    while True:
        np.round(weights @ weights / 0.01)


if __name__ == "__main__":
    main()
