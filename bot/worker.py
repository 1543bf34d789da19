"""The worker process: which job is which flow, and how it stops."""

from __future__ import annotations

import signal
import threading

import prometheus_client

from bot import hear, schedule
from bot.context import Context, open_context
from bot.flows import delivery, digest, housekeeping, nightly, regression, regressions, release, webhooks, wiki
from core.engine import Job, Worker
from core.settings import Settings

JOBS: dict[str, Job] = {
    "tick": schedule.tick,
    "hear": hear.hear,
    "show_card": release.show_card,
    "announce": release.announce,
    "open_ticket": regression.open_ticket,
    "announce_ticket": regression.announce_ticket,
    "put_page": wiki.put_page,
    "post_digest": digest.post_digest,
    "deliver_digest": delivery.deliver_digest,
    "housekeeping": housekeeping.run,
    "deliver_webhook": webhooks.deliver_webhook,
    "nightly": nightly.run,
    "look_for_regressions": regressions.look_at_release,
    "look_at_weeks": regressions.look_at_weeks,
}


def run(settings: Settings) -> None:
    """Run jobs until SIGTERM or SIGINT; what is running is finished first."""
    context: Context = open_context(settings)
    worker = Worker(settings, context.databases, context, JOBS, tick_job="tick")
    if settings.metrics_port:
        prometheus_client.start_http_server(settings.metrics_port, "127.0.0.1")
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
    worker.run()
    context.databases.dispose()
