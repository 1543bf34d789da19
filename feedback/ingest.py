"""Takes in what phones send: unpack, understand, store exactly once, and tell each item what became of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from core.clock import monotonic
from core.db import Databases, reading
from core.errors import Problem
from core.settings import Settings
from feedback import cells, polls, store
from feedback.commit import GroupCommit, OverloadedError, RefusedRowError
from feedback.responses import PollEvent
from feedback.store import Item
from feedback.telemetry import Summary
from feedback.understand import House, KnownPoll, understand
from feedback.unpack import Parcel, Unreadable, unpack_batch, unpack_response
from feedback.wire import Mistake, Reply, Result

log = logging.getLogger(__name__)

POLLS_KEPT_S = 5.0
POLLS_MISSED_S = 0.2
CONTEXTS_REMEMBERED = 200_000
# A ProgrammingError is none of these: PostgreSQL says so of a table that is not there, which is no fault of a row.
NEVER_FITS = (sa.exc.DataError, sa.exc.IntegrityError, sa.exc.StatementError)


class Collector:
    """The way in for phones. Safe to use from many threads; a reply is given after the COMMIT."""

    def __init__(self, databases: Databases, settings: Settings) -> None:
        book = PollBook(databases)
        self._house = House(
            hash_key=settings.hash_key,
            secret_key=settings.secret_key,
            retention_days=settings.retention_days,
            find_poll=book.find,
        )
        self._commits: GroupCommit[Item] = GroupCommit(DatabaseSink(databases.ingest))

    def accept_batch(self, body: bytes, *, app: str, now: datetime) -> Reply:
        """Take in a batch. Raises: MalformedError 400, TooLargeError 413, OverloadedError 503."""
        return self._accept(unpack_batch(body), app, now)

    def try_batch(self, body: bytes, *, app: str, now: datetime) -> Reply:
        """Say what would become of a batch, and keep nothing; what is stored already counts as accepted here."""
        understood = understand(unpack_batch(body), app=app, now=now, house=self._house)
        results = [
            _rejected(item.uuid, item.problems)
            if isinstance(item, Unreadable)
            else Result(uuid=item.uuid, status="accepted")
            for item in understood
        ]
        rejected = sum(result.status == "rejected" for result in results)
        return Reply(accepted=len(results) - rejected, duplicate=0, rejected=rejected, results=results)

    def accept_response(self, body: bytes, *, app: str, now: datetime) -> Reply:
        """Take in one response. Raises: MalformedError 400, OverloadedError 503."""
        return self._accept(unpack_response(body, now), app, now)

    def _accept(self, parcel: Parcel, app: str, now: datetime) -> Reply:
        understood = understand(parcel, app=app, now=now, house=self._house)
        outcomes = iter(self._commits.submit([item for item in understood if not isinstance(item, Unreadable)]))
        results: list[Result] = []
        for item in understood:
            if isinstance(item, Unreadable):
                results.append(_rejected(item.uuid, item.problems))
                continue
            outcome = next(outcomes)
            if outcome == "refused":
                results.append(_rejected(item.uuid, [Problem("", "could not be stored")]))
            else:
                results.append(Result(uuid=item.uuid, status=outcome))
        accepted = sum(result.status == "accepted" for result in results)
        duplicate = sum(result.status == "duplicate" for result in results)
        rejected = len(results) - accepted - duplicate
        return Reply(accepted=accepted, duplicate=duplicate, rejected=rejected, results=results)


class DatabaseSink:
    """Stores a group in one transaction: rows, and the cells of those rows that were new."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._known_contexts: set[str] = set()

    def commit(self, rows: Sequence[Item]) -> list[bool]:
        try:
            with self._sessions.begin() as session:
                is_new, contexts = self._write(session, rows)
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.ProgrammingError) as error:
            log.warning("ingest.unavailable", extra={"error": type(error.orig).__name__})
            raise OverloadedError("The database cannot be reached.", retry_after_s=5) from error
        except (*NEVER_FITS, OverflowError, ValueError) as error:
            log.warning("ingest.refused", extra={"rows": len(rows), "error": type(error).__name__})
            raise RefusedRowError from error
        if len(self._known_contexts) > CONTEXTS_REMEMBERED:
            self._known_contexts.clear()
        self._known_contexts |= contexts
        return is_new

    def _write(self, session: Session, rows: Sequence[Item]) -> tuple[list[bool], set[str]]:
        unseen = store.add_events(session, [row for row in rows if isinstance(row, PollEvent)])
        unseen_runs = store.add_summaries(session, [row for row in rows if isinstance(row, Summary)])
        fresh: list[Item] = []
        is_new: list[bool] = []
        for row in rows:
            # The same uuid twice in one group is new once.
            left, key = (unseen if isinstance(row, PollEvent) else unseen_runs), (row.sender.app, row.uuid)
            is_new.append(key in left)
            if key in left:
                left.remove(key)
                fresh.append(row)
        store.add_contexts(session, [row for row in fresh if row.sender.context not in self._known_contexts])
        store.add_installs(session, fresh)
        changes = store.add_answers(session, [row for row in fresh if isinstance(row, PollEvent)])
        cells.count(session, [row for row in fresh if isinstance(row, Summary)], changes)
        return is_new, {row.sender.context for row in fresh}


class PollBook:
    """Every version of every poll, remembered for seconds; one that is not known is looked up at once."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._lock = threading.Lock()
        self._polls: dict[tuple[str, str, int | None], KnownPoll] = {}
        self._read_at = float("-inf")

    def find(self, app: str, poll: str, version: int | None) -> KnownPoll | None:
        """Return a version of a poll, the latest for None; None if it is not known or was never started."""
        found = self._polls.get((app, poll, version))
        age_s = monotonic() - self._read_at
        if age_s > (POLLS_KEPT_S if found else POLLS_MISSED_S):
            self._read()
            found = self._polls.get((app, poll, version))
        return found

    def _read(self) -> None:
        with self._lock:
            with reading(self._databases.control) as session:
                stored = store.poll_versions(session)
            latest: dict[tuple[str, str], int] = {}
            for app, poll, version in stored:
                latest[app, poll] = max(version, latest.get((app, poll), 0))
            known: dict[tuple[str, str, int | None], KnownPoll] = {}
            for (app, poll, version), each in stored.items():
                newest = latest[app, poll]
                primary = polls.primary_question(each.poll).id
                known[app, poll, version] = KnownPoll(poll=each.poll, model=each.model, primary=primary, latest=newest)
            known |= {(app, poll, None): known[app, poll, version] for (app, poll), version in latest.items()}
            self._polls, self._read_at = known, monotonic()


def _rejected(uuid: str | None, problems: Sequence[Problem]) -> Result:
    mistakes = [Mistake(path=problem.path, message=problem.message) for problem in problems]
    return Result(uuid=uuid, status="rejected", problems=mistakes)
