"""The worker process: which job is which flow, and how it stops."""

from __future__ import annotations

import signal
import threading
from functools import partial

from bot import hear, ports, schedule
from bot.context import Context, open_context
from bot.flows import (
    delivery,
    digest,
    drift,
    housekeeping,
    issue_news,
    job_card,
    nightly,
    noised,
    optimize,
    registry,
    regression,
    regressions,
    release,
    subscribers,
    webhooks,
    wiki,
)
from core.db import reading
from core.engine import Job, Worker, last_beat
from core.settings import Settings
from feedback import store as feedback

JOBS: dict[str, Job] = {
    "tick": schedule.tick,
    "hear": hear.hear,
    "show_card": release.show_card,
    "announce": release.announce,
    "open_ticket": regression.open_ticket,
    "announce_ticket": issue_news.announce_ticket,
    "look_at_issue": issue_news.look_at_issue,
    "tell_issue": issue_news.tell_issue,
    "tell_channel": subscribers.tell_channel,
    "put_page": wiki.put_page,
    "post_digest": digest.post_digest,
    "deliver_digest": delivery.deliver_digest,
    "housekeeping": housekeeping.run,
    "deliver_webhook": webhooks.deliver_webhook,
    "nightly": nightly.run,
    "look_for_regressions": regressions.look_at_release,
    "look_at_weeks": regressions.look_at_weeks,
    "inspect_artifact": registry.inspect_artifact,
    "optimize": optimize.optimize,
    "show_job": job_card.show_job,
    "watch_drift": drift.watch_drift,
    "announce_drift": drift.announce_drift,
}


def run(settings: Settings) -> None:
    """Run jobs until SIGTERM or SIGINT; what is running is finished first."""
    ports.serve_metrics(settings)
    context: Context = open_context(settings)
    noised.warn_if_missing(context)
    stopping = threading.Event()
    jobs: dict[str, Job] = {**JOBS, "optimize": partial(optimize.optimize, is_stopping=stopping.is_set)}
    worker = Worker(settings, context.databases, context, jobs, tick_job="tick")

    def stop(*_: object) -> None:
        stopping.set()  # an optimization ends early and goes on elsewhere
        worker.stop()

    with reading(context.databases.control) as session:
        last_beat(session)  # without tables it ends here, and nothing was begun
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
    folding = feedback.Folding(context.databases.ingest)
    folding.start()
    worker.run()
    folding.stop()
    context.databases.dispose()
