"""What /metrics tells of Muster itself, read from the databases when it is asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from bot.webhooks import undelivered
from core.clock import Clock
from core.db import Databases, reading
from core.engine import job_counts, last_beat
from feedback.fold import backlog

log = logging.getLogger(__name__)


class Gauges(Collector):
    """Tells nothing while a database is away; `/readyz` tells that."""

    def __init__(self, databases: Databases, clock: Clock) -> None:
        self._databases = databases
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        try:
            yield from self._read()
        except SQLAlchemyError as error:
            log.warning("metrics.unavailable", extra={"error": type(error).__name__})

    def _read(self) -> list[Metric]:
        waiting, oldest_at = backlog(self._databases.ingest)
        age_s = max(0.0, (self._clock() - oldest_at).total_seconds()) if oldest_at else 0.0
        with reading(self._databases.control) as session:
            jobs, messages, beat_at = job_counts(session), undelivered(session), last_beat(session)
        told: list[Metric] = [
            GaugeMetricFamily("muster_inbox_letters", "Answers and telemetry not folded yet, at most.", waiting),
            GaugeMetricFamily("muster_inbox_oldest_age_seconds", "How long the oldest of them has waited.", age_s),
            _by_state("muster_jobs", "Jobs that have not ended, and those that were given up on (failed).", jobs),
            _by_state("muster_webhook_messages", "Messages of webhooks that were not delivered.", messages),
        ]
        if beat_at:
            about = "When a worker last said that it lives."
            told.append(GaugeMetricFamily("muster_worker_beat_timestamp_seconds", about, beat_at.timestamp()))
        return told


def _by_state(name: str, about: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=["state"])
    for state, n in counts.items():
        family.add_metric([state], n)
    return family
