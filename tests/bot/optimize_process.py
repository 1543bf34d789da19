"""A worker process for test_optimize_kill: the real jobs of optimizing, on the settings of a test."""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from pathlib import Path

from slack_sdk import WebClient

from bot.context import Context
from bot.flows import job_card, optimize, registry
from core.clock import system_clock
from core.db import open_databases
from core.engine import Job, Worker
from tests.builders import some_settings

settings = some_settings(
    Path(sys.argv[1]), database_url=sys.argv[3], worker_id=sys.argv[2], job_poll_s=0.05, tick_s=0.5, slack_channel=None
)
databases = open_databases(settings.database_url, settings.ingest_database_url)
slack = WebClient(token=settings.slack_bot_token, base_url=settings.slack_api_url)
ctx = Context(settings=settings, clock=system_clock, databases=databases, slack=slack, jira=None)
stopping = threading.Event()
jobs: dict[str, Job] = {
    "inspect_artifact": registry.inspect_artifact,
    "optimize": partial(optimize.optimize, is_stopping=stopping.is_set),
    "show_job": job_card.show_job,
    "tick": lambda _ctx: None,
}
worker = Worker(settings, databases, ctx, jobs, tick_job="tick")


def stop(*_: object) -> None:
    stopping.set()
    worker.stop()


signal.signal(signal.SIGTERM, stop)
worker.run()
