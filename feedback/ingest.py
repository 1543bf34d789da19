"""Takes in what phones send: unpack, understand, store exactly once, and tell each item what became of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from core.clock import monotonic
from core.db import Databases, reading
from core.errors import NotRememberedError, Problem
from core.settings import Settings
from feedback import inbox, polls, store
from feedback.answers import KnownPoll
from feedback.commit import GroupCommit, Outcome
from feedback.inbox import Letter
from feedback.inbox_sink import InboxSink
from feedback.posts import House
from feedback.responses import PollEvent
from feedback.telemetry import Summary
from feedback.understand import understand
from feedback.unpack import Parcel, Unreadable, unpack_batch, unpack_response
from feedback.wire import Mistake, Reply, Result

POLLS_KEPT_S = 5.0
POLLS_MISSED_S = 0.2
LANES = {"sqlite": 1, "postgresql": 2}


class Opened(NamedTuple):
    """What one request brought: each item as it was understood, and the letters of those that will be stored."""

    items: list[PollEvent | Summary | Unreadable]
    letters: list[Letter]


class Collector:
    """The way in for phones. Safe to use from many threads; a reply is given after the COMMIT.

    Who must not wait for a disk or a database opens a request with `briefly`, hands its letters to `commits` and tells
    the outcomes in a reply; `accept_batch` and `accept_response` are all of that at once.
    """

    def __init__(self, databases: Databases, settings: Settings) -> None:
        self.databases = databases
        book = PollBook(databases)
        self._house = House(
            hash_key=settings.hash_key,
            secret_key=settings.sealing,
            retention_days=settings.retention_days,
            find_poll=book.find,
        )
        self._quick_house = replace(self._house, find_poll=book.recall)
        engine = databases.ingest_engine
        self.commits: GroupCommit[Letter] = GroupCommit(InboxSink(engine), lanes=LANES[engine.dialect.name])

    def accept_batch(self, body: bytes, *, app: str, now: datetime) -> Reply:
        """Take in a batch. Raises: MalformedError 400, TooLargeError 413, OverloadedError 503."""
        return self._accept(self.open_batch(body, app=app, now=now))

    def try_batch(self, body: bytes, *, app: str, now: datetime) -> Reply:
        """Say what would become of a batch, and keep nothing; what is stored already counts as accepted here."""
        items, letters = self.open_batch(body, app=app, now=now)
        return told(items, ["accepted"] * len(letters))

    def accept_response(self, body: bytes, *, app: str, now: datetime) -> Reply:
        """Take in one response. Raises: MalformedError 400, OverloadedError 503."""
        return self._accept(self.open_response(body, app=app, now=now))

    def open_batch(self, body: bytes, *, app: str, now: datetime, briefly: bool = False) -> Opened:
        """Read and check a batch. Raises: MalformedError 400, TooLargeError 413; NotRememberedError if `briefly`."""
        return self._open(unpack_batch(body, briefly=briefly), app, now, briefly)

    def open_response(self, body: bytes, *, app: str, now: datetime, briefly: bool = False) -> Opened:
        """Read and check one response. Raises: MalformedError 400; NotRememberedError if `briefly`."""
        return self._open(unpack_response(body, now, briefly=briefly), app, now, briefly)

    def _open(self, parcel: Parcel, app: str, now: datetime, briefly: bool) -> Opened:
        items = understand(parcel, app=app, now=now, house=self._quick_house if briefly else self._house)
        return Opened(items, [inbox.pack(item) for item in items if not isinstance(item, Unreadable)])

    def _accept(self, opened: Opened) -> Reply:
        return told(opened.items, self.commits.submit(opened.letters))


def told(items: Sequence[PollEvent | Summary | Unreadable], outcomes: Sequence[Outcome]) -> Reply:
    """Return the reply to items, `outcomes` being those of the letters among them."""
    following = iter(outcomes)
    results: list[Result] = []
    for item in items:
        if isinstance(item, Unreadable):
            results.append(_rejected(item.uuid, item.problems))
            continue
        outcome = next(following)
        if outcome == "refused":
            results.append(_rejected(item.uuid, [Problem("", "could not be stored")]))
        else:
            results.append(Result(uuid=item.uuid, status=outcome))
    accepted, duplicate = outcomes.count("accepted"), outcomes.count("duplicate")
    rejected = len(items) - accepted - duplicate
    return Reply(accepted=accepted, duplicate=duplicate, rejected=rejected, results=results)


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
        kept_s = POLLS_KEPT_S if found else POLLS_MISSED_S
        # One thread looks again; the others go on with what they know, and wait only when they know nothing.
        if monotonic() - self._read_at <= kept_s or not self._lock.acquire(blocking=found is None):
            return found
        try:
            if monotonic() - self._read_at > kept_s:
                self._read()
        finally:
            self._lock.release()
        return self._polls.get((app, poll, version))

    def recall(self, app: str, poll: str, version: int | None) -> KnownPoll | None:
        """As `find`, without a look at the database. Raises: NotRememberedError: it takes one."""
        found = self._polls.get((app, poll, version))
        if monotonic() - self._read_at > (POLLS_KEPT_S if found else POLLS_MISSED_S):
            raise NotRememberedError
        return found

    def _read(self) -> None:
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
