"""Durable jobs: the only module that knows DBOS.

A job is a name and ids, never facts. `enqueue` writes it in the caller's own transaction: commit, and it runs;
roll back, and it never was; the same key again, and nothing happens. A job that raises a passing UpstreamError
runs again after a growing wait, for as long as it takes, and no thread waits with it: the next attempt is another
row, due later. A worker that dies leaves its jobs to the others within a minute.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, run_dbos_database_migrations
from dbos import error as dbos_error
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import locks
from core.clock import monotonic, system_clock
from core.db import Control, Databases, insert
from core.errors import ConflictError, UpstreamError
from core.settings import Settings

log = logging.getLogger(__name__)

APPLICATION = "muster"
# Pinned: otherwise any change of code would strand the jobs of the version before.
VERSION = "1"
WORKFLOW = "job"
# name: at once on one worker
QUEUES: dict[str, int] = {"jobs": 8, "hear": 4, "tick": 1, "news": 4, "webhooks": 6, "optimize": 1}
# What people wait for never stands behind other work, and what takes a processor for minutes, or waits for addresses
# that anybody may have given us, stands behind its like alone.
OWN_QUEUE = {"hear": "hear", "tick": "tick", "show_card": "news", "announce": "news", "announce_ticket": "news",
             "tell_issue": "news", "deliver_webhook": "webhooks", "optimize": "optimize"}  # fmt: skip
# queue: the id by which it is shared out, and how much of it one may have
SHARES: dict[str, tuple[str, int]] = {"webhooks": ("webhook", 2)}
BROKEN_ATTEMPTS = 5
FIRST_WAIT_S = 1.0
# What another system may ask for at most: a wait of years would never end in a message that was given up on.
LONGEST_ASKED_S = 86_400.0
BEAT_S = 10.0
DEAD_AFTER = timedelta(seconds=40)
HISTORY_DAYS = 14
STATES = {"ENQUEUED": "waiting", "DELAYED": "waiting", "PENDING": "running",
          "ERROR": "failed", "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed"}  # fmt: skip
# Longer than Dokku lets the last container run beside the next.
NAME_FREE_WITHIN_S = 90.0
NAME_LOOK_EVERY_S = 5.0

Job = Callable[..., None]


class Queue(Protocol):
    """Where `enqueue` writes: DBOS in the processes, a list in tests."""

    def put(
        self, session: Session, job: str, *, key: str, attempt: int, after: timedelta | None, ids: Mapping[str, str]
    ) -> None: ...


class ExecutorRow(Control):
    """A worker that has lived, and when it last said so (by the system's clock)."""

    __tablename__ = "executors"

    id: Mapped[str] = mapped_column(primary_key=True)
    beat_at: Mapped[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedJob:
    job: str
    key: str
    error: str
    at: datetime


def enqueue(session: Session, job: str, *, key: str, after: timedelta | None = None, **ids: str) -> None:
    """Have `job` run once for `key` when the caller's transaction commits (and `after` has passed).

    Keys are remembered for two weeks; what must never happen twice is also UNIQUE in its own table.
    """
    queue: Queue = session.info["queue"]
    queue.put(session, job, key=f"{job}/{key}", attempt=1, after=after, ids=ids)


class DbosQueue:
    """Writes jobs as DBOS workflows, whose id is the job's key."""

    def __init__(self, database_url: str) -> None:
        self.client = DBOSClient(
            system_database_url=database_url,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
        )

    def put(
        self, session: Session, job: str, *, key: str, attempt: int, after: timedelta | None, ids: Mapping[str, str]
    ) -> None:
        queue = OWN_QUEUE.get(job, "jobs")
        options: dict[str, Any] = {
            "workflow_name": WORKFLOW,
            "queue_name": queue,
            "workflow_id": key if attempt == 1 else f"{key}~{attempt}",
            "app_version": VERSION,
        }
        if after:
            options["delay_seconds"] = after.total_seconds()
        if queue in SHARES:
            options["queue_partition_key"] = ids.get(SHARES[queue][0]) or job  # without one it would never run
        self.client.enqueue_in_transaction(session, options, job, key, attempt, dict(ids))  # type: ignore[arg-type]


def attach(databases: Databases, settings: Settings) -> DbosQueue:
    """Let every control session enqueue jobs."""
    queue = DbosQueue(settings.database_url)
    databases.control.configure(info={"queue": queue})
    return queue


def migrate(settings: Settings) -> None:
    """Create or bring up to date the engine's own tables."""
    run_dbos_database_migrations(settings.database_url)
    if settings.database_url.startswith("sqlite"):
        engine = sa.create_engine(settings.database_url)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        engine.dispose()


class Worker:
    """Runs jobs until told to stop; `tick_job` is put in line every `settings.tick_s` seconds, once for all workers."""

    def __init__(
        self, settings: Settings, databases: Databases, context: object, jobs: Mapping[str, Job], *, tick_job: str
    ) -> None:
        self._settings = settings
        self._databases = databases
        self._context = context
        self._jobs = jobs
        self._tick_job = tick_job
        self._queue = attach(databases, settings)
        self._stop = threading.Event()

    def run(self, *, patience_s: float = NAME_FREE_WITHIN_S) -> None:
        """Start, and return once `stop` was called and what was running has finished.

        Raises: ConflictError: another worker has this name still; two of one name would both run its jobs.
        """
        name = self._settings.worker_id
        with locks.hold(self._settings.database_url, f"worker.{name}", again=self._patience(patience_s)) as is_ours:
            if is_ours:
                self._run()
            elif not self._stop.is_set():
                raise ConflictError(
                    f"MUSTER_WORKER_ID: another worker is called {name} and runs; give each its own, or end the other."
                )

    def _patience(self, seconds: float) -> Callable[[], bool]:
        """Bear with one of the same name for a while: some platforms start the next before they end the last."""
        deadline = monotonic() + seconds

        def again() -> bool:
            if monotonic() >= deadline:
                return False
            log.warning("worker.waiting", extra={"reason": f"another is called {self._settings.worker_id}"})
            return not self._stop.wait(min(NAME_LOOK_EVERY_S, seconds))

        return again

    def _run(self) -> None:
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._settings.database_url,
                "executor_id": self._settings.worker_id,
                "application_version": VERSION,
                "serializer": DBOSPortableJSONSerializer(),
                "run_migrations": False,
                "max_executor_threads": 32,
                "log_level": "WARNING",
            }
        )

        @DBOS.workflow(name=WORKFLOW)
        def _job(job: str, key: str, attempt: int, ids: dict[str, str]) -> None:
            self._perform(job, key, attempt, ids)

        beat(self._databases, self._settings.worker_id, system_clock())
        DBOS.launch()
        for name, at_once in QUEUES.items():
            DBOS.register_queue(
                name,
                worker_concurrency=at_once,
                partition_worker_concurrency=SHARES[name][1] if name in SHARES else None,
                polling_interval_sec=self._settings.job_poll_s,
                on_conflict="always_update",
            )
        log.info("worker.started", extra={"worker": self._settings.worker_id})
        self._keep_time()
        DBOS.destroy(workflow_completion_timeout_sec=20)
        log.info("worker.stopped", extra={"worker": self._settings.worker_id})

    def stop(self) -> None:
        self._stop.set()

    def _keep_time(self) -> None:
        next_beat = monotonic()
        while not self._stop.wait(self._until_tick()):
            self._put_tick()
            if monotonic() >= next_beat:
                next_beat = monotonic() + BEAT_S
                beat(self._databases, self._settings.worker_id, system_clock())
                take_over(self._databases, self._queue.client, system_clock())

    def _until_tick(self) -> float:
        tick_s = min(self._settings.tick_s, BEAT_S)
        return tick_s - system_clock().timestamp() % tick_s

    def _put_tick(self) -> None:
        number = int(system_clock().timestamp() // self._settings.tick_s)
        key = f"{self._tick_job}/{number}"
        try:
            self._queue.client.enqueue(
                {
                    "workflow_name": WORKFLOW,
                    "queue_name": "tick",
                    "workflow_id": key,
                    "app_version": VERSION,
                    "deduplication_id": self._tick_job,
                },
                self._tick_job,
                key,
                1,
                {},
            )
        except dbos_error.DBOSQueueDeduplicatedError:
            log.info("tick.skipped", extra={"reason": "the one before has not run yet"})
        except sa.exc.OperationalError:
            log.warning("tick.not_queued", exc_info=True)

    def _perform(self, job: str, key: str, attempt: int, ids: dict[str, str]) -> None:
        function = self._jobs.get(job)
        if function is None:
            raise LookupError(f"no job is called {job!r}")
        try:
            function(self._context, **ids)
        except UpstreamError as error:
            if error.permanent:
                log.error("job.failed", extra={"job": job, "key": key, "reason": str(error)})
                raise
            self._again(job, key, attempt, ids, reason=str(error), asked_s=error.retry_after_s or 0.0)
        except Exception as error:
            if attempt >= BROKEN_ATTEMPTS or job == self._tick_job:
                log.exception("job.failed", extra={"job": job, "key": key})
                raise
            self._again(job, key, attempt, ids, reason=repr(error), asked_s=0.0)

    def _again(self, job: str, key: str, attempt: int, ids: Mapping[str, str], *, reason: str, asked_s: float) -> None:
        wait_s = wait_before(attempt + 1, cap_s=self._settings.retry_cap_s, asked_s=asked_s)
        log.warning("job.again", extra={"job": job, "key": key, "attempt": attempt, "wait_s": wait_s, "reason": reason})
        with self._databases.control.begin() as session:
            self._queue.put(session, job, key=key, attempt=attempt + 1, after=timedelta(seconds=wait_s), ids=ids)


def wait_before(attempt: int, *, cap_s: float, asked_s: float = 0.0) -> float:
    """Return the seconds before the n-th attempt (n ≥ 2): 1, 2, 4 … up to the cap; longer where the other side asked
    for more, up to a day."""
    return max(min(cap_s, FIRST_WAIT_S * 2.0 ** min(attempt - 2, 30)), min(asked_s, LONGEST_ASKED_S))


def beat(databases: Databases, worker: str, now: datetime) -> None:
    with databases.control.begin() as session:
        row = insert(session, ExecutorRow).values(id=worker, beat_at=now)
        session.execute(row.on_conflict_do_update(index_elements=["id"], set_={"beat_at": now}))


def last_beat(session: Session) -> datetime | None:
    """Return when any worker was last alive."""
    return session.scalar(sa.select(sa.func.max(ExecutorRow.beat_at)))


def take_over(databases: Databases, client: DBOSClient, now: datetime) -> list[str]:
    """Put the running jobs of workers that fell silent back in line; return their keys."""
    with databases.control.begin() as session:
        silent = sa.select(ExecutorRow.id).where(ExecutorRow.beat_at < now - DEAD_AFTER)
        dead = list(session.scalars(silent))
    keys: list[str] = []
    if dead:
        pending = client.list_workflows(status="PENDING", executor_id=dead, load_input=False, load_output=False)
        keys = [workflow.workflow_id for workflow in pending]
        if keys:
            log.warning("worker.taken_over", extra={"workers": dead, "jobs": keys})
            client.resume_workflows(keys)
        with databases.control.begin() as session:
            session.execute(sa.delete(ExecutorRow).where(ExecutorRow.id.in_(dead)))
    return keys


def job_counts(session: Session) -> dict[str, int]:
    """Return how many jobs are waiting, running, and were given up on (failed)."""
    schema = "dbos" if session.get_bind().dialect.name == "postgresql" else None
    jobs = sa.table("workflow_status", sa.column("status"), schema=schema)
    counts = dict.fromkeys(STATES.values(), 0)
    query = sa.select(jobs.c.status, sa.func.count()).where(jobs.c.status.in_(STATES)).group_by(jobs.c.status)
    for status, n in session.execute(query):
        counts[STATES[status]] += n
    return counts


def failed_jobs(session: Session, *, limit: int = 20) -> tuple[FailedJob, ...]:
    """Return the newest jobs that were given up on."""
    client = session.info["queue"].client
    broken = client.list_workflows(
        status=[status for status, state in STATES.items() if state == "failed"],
        name=WORKFLOW,
        limit=limit,
        sort_desc=True,
        load_output=True,
    )
    return tuple(
        FailedJob(
            job=each.workflow_id.split("/", 1)[0],
            key=each.workflow_id,
            error=str(each.error or each.status),
            at=datetime.fromtimestamp((each.updated_at or 0) / 1000, UTC),
        )
        for each in broken
    )


def forget_finished(session: Session, now: datetime) -> int:
    """Delete the history of jobs that ended more than two weeks ago; return how many."""
    client = session.info["queue"].client
    before = (now - timedelta(days=HISTORY_DAYS)).isoformat()
    done = client.list_workflows(
        status=["SUCCESS", "CANCELLED"], end_time=before, limit=5000, load_input=False, load_output=False
    )
    if done:
        client.delete_workflows([each.workflow_id for each in done])
    return len(done)
