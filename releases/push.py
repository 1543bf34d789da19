"""Push: a stream of server-sent events that tells OpenFeature clients to ask again, for keys that were allowed one.

Each open stream holds a thread of the web process, so there are few and they end by themselves; it is meant for servers
and dashboards. A fleet of phones polls with If-None-Match. The address is signed and lives an hour, because an
EventSource cannot send a key. https://github.com/open-feature/protocol (ADR 8)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec
import sqlalchemy as sa
from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from core import links
from core.clock import Clock, monotonic
from core.db import insert
from core.errors import AppError, NotAllowedError
from releases.catalog import LOOK_EVERY_S, Catalog
from releases.counters import bump
from releases.tables import PushKeyRow

STREAMS_AT_MOST: Final = 4
LIVES: Final = timedelta(hours=1)
STREAM_S: Final = 300.0
PING_S: Final = 15.0
RETRY_AFTER_S: Final = 60
INACTIVE_S: Final = 120


class TooManyStreamsError(AppError):
    status = 503
    retry_after_s = RETRY_AFTER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a stream lives, how often it looks and says that it is there; `wait` sleeps so many seconds, and returns
    true when the process is about to stop."""

    stream_s: float = STREAM_S
    look_s: float = LOOK_EVERY_S
    ping_s: float = PING_S
    seconds: Callable[[], float] = monotonic
    wait: Callable[[float], object] = threading.Event().wait


def allow_push(session: Session, key_id: str, *, now: datetime) -> None:
    """Let clients with this key keep a stream open; allowing twice changes nothing."""
    row = {"key_id": key_id, "allowed_at": now}
    session.execute(insert(session, PushKeyRow).values(row).on_conflict_do_nothing())
    bump(session, "catalog")


def forbid_push(session: Session, key_id: str) -> None:
    session.execute(sa.delete(PushKeyRow).where(PushKeyRow.key_id == key_id))
    bump(session, "catalog")


def event_streams(app: str, *, now: datetime, key: bytes) -> list[dict[str, Any]]:
    """Return what the bulk evaluation tells of the stream."""
    uri = links.sign(_path(app), until=now + LIVES, key=key)
    return [{"type": "sse", "endpoint": {"requestUri": uri}, "inactivityDelaySec": INACTIVE_S}]


def blueprint(catalog: Catalog, clock: Clock, *, key: bytes, at_most: int = STREAMS_AT_MOST, pace: Pace) -> Blueprint:
    routes = Blueprint("ofrep_events", __name__)
    free = threading.BoundedSemaphore(at_most)

    @routes.get("/ofrep/v1/events/<app>")
    def _events(app: str) -> Response:
        if not links.check(_path(app), request.args, now=clock(), key=key):
            raise NotAllowedError("This link has expired or is not ours; evaluate the flags again for a new one.")
        if not free.acquire(blocking=False):
            raise TooManyStreamsError(f"All {at_most} streams are taken; poll instead.")
        reply = Response(changes(catalog, app, pace), content_type="text/event-stream")
        # Also when the client leaves before the first event, which a generator's own `finally` would not see.
        reply.call_on_close(free.release)
        reply.headers["Cache-Control"] = "no-store"
        return reply

    return routes


def changes(catalog: Catalog, app: str, pace: Pace) -> Iterator[bytes]:
    """Yield an event whenever what is on offer changes, and a comment now and then, until the stream's time is over or
    the process is about to stop."""
    began = said = pace.seconds()
    known = catalog.slots(app)
    yield b"retry: 5000\n\n"
    while pace.seconds() - began < pace.stream_s and not pace.wait(pace.look_s):
        seen = catalog.slots(app)
        if seen != known:
            known, said = seen, pace.seconds()
            told = {"type": "refetchEvaluation", "etag": str(catalog.revision)}
            yield b"event: message\ndata: " + msgspec.json.encode(told) + b"\n\n"
        elif pace.seconds() - said >= pace.ping_s:
            said = pace.seconds()
            yield b": still here\n\n"


def _path(app: str) -> str:
    return f"/ofrep/v1/events/{quote(app, safe='')}"
