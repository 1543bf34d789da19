"""A process that only folds, as the worker does beside its jobs; the benches start it and stop it with SIGTERM."""

from __future__ import annotations

import os
import signal
import threading

from core.db import open_databases
from feedback.fold import Folding


def main() -> None:
    databases = open_databases(os.environ["MUSTER_DATABASE_URL"], os.environ["MUSTER_INGEST_URL"])
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    folding = Folding(databases.ingest)
    folding.start()
    stopped.wait()
    folding.stop()
    databases.dispose()


if __name__ == "__main__":
    main()
