"""Catalog: what is on offer, kept per process, so an offer costs no query.

At most every half second one small query asks whether the catalog's revision moved; only then is it read anew. A halt
reaches every process within that time. When the database cannot be read, the last catalog stands.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core.clock import monotonic
from core.db import Databases, reading
from core.errors import NotFoundError
from core.segments import EVERYONE
from releases import counters
from releases.artifact_store import current_baselines, find_artifacts, models
from releases.artifacts import Artifact
from releases.offers import Live, Slot, Standing
from releases.plan import Release
from releases.states import LIVE, Rollout
from releases.store import live_releases, stood_releases
from releases.tables import PushKeyRow
from releases.throttle_store import all_throttles
from releases.throttles import Throttle

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    revision: int
    slots: Mapping[str, tuple[Slot, ...]]
    push_keys: frozenset[str]
    looked_at: float


class Catalog:
    """All slots of all apps; threads share one."""

    def __init__(self, databases: Databases, *, seconds: Callable[[], float] = monotonic) -> None:
        self._databases = databases
        self._seconds = seconds
        self._lock = threading.Lock()
        self._read: _Read | None = None

    @property
    def revision(self) -> int:
        """What an event tells a listener to have seen."""
        return self._current().revision

    def slots(self, app: str, *, seen: int = 0) -> tuple[Slot, ...]:
        """Return the app's models in order of their names; not older than the revision that somebody has `seen`."""
        return self._current(seen).slots.get(app, ())

    def may_push(self, key_id: str) -> bool:
        """Return whether clients with this key may keep a stream open."""
        return key_id in self._current().push_keys

    def slot(self, app: str, model: str) -> Slot:
        """Raises: NotFoundError: the app has no such model."""
        found = next((slot for slot in self.slots(app) if slot.model == model), None)
        if found is None:
            raise NotFoundError(f"There is no model {model}.")
        return found

    def _current(self, seen: int = 0) -> _Read:
        read = self._read
        is_old = read is None or read.revision < seen
        if read is not None and not is_old and self._seconds() - read.looked_at < LOOK_EVERY_S:
            return read
        # One thread looks, the others go on with what they have; only the very first, and those who know more, wait.
        if not self._lock.acquire(blocking=is_old):
            assert read is not None
            return read
        try:
            self._read = self._look(self._read, seen)
            return self._read
        finally:
            self._lock.release()

    def _look(self, read: _Read | None, seen: int) -> _Read:
        now = self._seconds()
        if read is not None and read.revision >= seen and now - read.looked_at < LOOK_EVERY_S:
            return read
        try:
            with reading(self._databases.control) as session:
                revision = counters.current(session, "catalog")
                if read is not None and read.revision == revision:
                    return replace(read, looked_at=now)
                keys = frozenset(session.scalars(sa.select(PushKeyRow.key_id)))
                return _Read(revision=revision, slots=read_slots(session), push_keys=keys, looked_at=now)
        except OperationalError:
            if read is None:
                raise
            log.warning("catalog.stale", extra={"revision": read.revision}, exc_info=True)
            return replace(read, looked_at=now)


def read_slots(session: Session) -> dict[str, tuple[Slot, ...]]:
    """Read every app's slots."""
    live = {
        (release.app, release.model): (release, rollout)
        for release, rollout in live_releases(session)
        if rollout.state in LIVE
    }
    stood = _stood(session)
    throttled: dict[tuple[str, str], list[Throttle]] = {}
    for app, model, throttle in all_throttles(session):
        throttled.setdefault((app, model), []).append(throttle)
    found: dict[str, list[Slot]] = {}
    for app, model in models(session):
        read = (each for each in find_artifacts(session, app=app, model=model) if not each.awaits_reading)
        artifacts = {artifact.sha256: artifact for artifact in read}
        running = live.get((app, model))
        slot = Slot(
            model=model,
            baselines=_pick(artifacts, running[0].baselines) if running
            else current_baselines(session, app=app, model=model),
            live=_live(artifacts, *running) if running else None,
            standing=_standing(artifacts, stood.get((app, model), ())),
            throttles=tuple(throttled.get((app, model), ())),
        )  # fmt: skip
        found.setdefault(app, []).append(slot)
    return {app: tuple(slots) for app, slots in found.items()}


def _live(artifacts: Mapping[str, Artifact], release: Release, rollout: Rollout) -> Live:
    return Live(release=release, rollout=rollout, candidates=_pick(artifacts, release.candidates),
                rivals=_pick(artifacts, release.rivals))  # fmt: skip


def _stood(session: Session) -> dict[tuple[str, str], list[tuple[Release, Rollout]]]:
    found: dict[tuple[str, str], list[tuple[Release, Rollout]]] = {}
    for release, rollout in stood_releases(session):
        found.setdefault((release.app, release.model), []).append((release, rollout))
    return found


def _standing(artifacts: Mapping[str, Artifact], stood: Sequence[tuple[Release, Rollout]]) -> tuple[Standing, ...]:
    """Return the releases that left somebody out, the newest first, down to one that reached everybody."""
    found = []
    for release, rollout in stood:
        if release.plan.segment == EVERYONE and not release.plan.holdback and not rollout.stopped:
            break
        live = _live(artifacts, release, rollout)
        found.append(Standing(live=live, baselines=_pick(artifacts, release.baselines)))
    return tuple(found)


def _pick(artifacts: Mapping[str, Artifact], digests: tuple[str, ...]) -> tuple[Artifact, ...]:
    return tuple(artifacts[digest] for digest in digests if digest in artifacts)
