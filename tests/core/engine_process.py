"""A worker process for test_engine: its jobs write lines to a file; one hangs until it is killed."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from core.db import open_databases
from core.engine import Job, Worker
from core.errors import ConflictError, UpstreamError
from tests.builders import some_settings

folder, name, database_url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
settings = some_settings(
    folder, database_url=database_url, worker_id=name, job_poll_s=0.05, tick_s=0.5, retry_cap_s=0.2
)


def note(line: str) -> None:
    with (folder / "notes").open("a") as file:
        file.write(line + "\n")


def write_down(_ctx: object, *, what: str) -> None:
    note(what)


def hang_once(_ctx: object, *, what: str) -> None:
    note(f"{name} begins {what}")
    if not (folder / "let go").exists():
        time.sleep(600)
    note(f"{name} ends {what}")


def deliver_webhook(ctx: object, *, what: str, webhook: str) -> None:
    hang_once(ctx, what=f"{webhook} {what}") if webhook == "slow" else note(f"{webhook} {what}")


def fail_twice(_ctx: object, *, what: str) -> None:
    note(what)
    if (folder / "notes").read_text().count(what) < 3:
        raise UpstreamError("jira", "HTTP 503", permanent=False)


def give_up(_ctx: object, *, what: str) -> None:
    note(what)
    raise UpstreamError("jira", "HTTP 400", permanent=True)


def tick(_ctx: object) -> None:
    note("tick")


databases = open_databases(settings.database_url, settings.ingest_database_url)
jobs: dict[str, Job] = {
    "write_down": write_down,
    "hang_once": hang_once,
    "deliver_webhook": deliver_webhook,
    "fail_twice": fail_twice,
    "give_up": give_up,
    "tick": tick,
}
worker = Worker(settings, databases, object(), jobs, tick_job="tick")
signal.signal(signal.SIGTERM, lambda *_: worker.stop())
try:
    worker.run(patience_s=float(sys.argv[4]))
except ConflictError as error:
    note(error.message)
    sys.exit(2)
