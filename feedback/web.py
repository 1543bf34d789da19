"""What phones fetch: the signed bundle of polls, why a poll is not shown, and one's own data."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import msgspec
from flask import Blueprint, Response, jsonify, request

from core.clock import Clock, monotonic
from core.db import Databases, reading
from core.device import WIRE_NAMES, DeviceContext
from core.errors import InvalidInputError, NotAllowedError, Problem
from core.keys import KeyRing
from core.privacy import InstallHash, pseudonymize
from core.segments import suggestion
from core.settings import Settings
from feedback import bundle, store
from feedback.openapi import INSTALL_HEADER
from feedback.targeting import explain, is_shown
from feedback.telemetry import hour_of

BUNDLE_KEPT_S = 1.0
# Counting who answered a poll with a limit reads all its answers: no more than a fiftieth of the time goes into it.
BUNDLE_KEPT_TIMES = 50.0


def blueprint(databases: Databases, settings: Settings, clock: Clock, keys: KeyRing) -> Blueprint:
    """Return the routes that phones (and the people behind them) read from."""
    part = Blueprint("collector", __name__)
    bundles = Bundles(databases)

    @part.get("/v1/polls")
    def _polls() -> Response:
        key = keys.check_headers(request.headers, "public", "secret")
        if request.args.get("app", key.app) != key.app:
            raise NotAllowedError(f"This API key is for the app {key.app}.")
        body = bundles.of(key.app, clock())
        response = Response(body, mimetype="application/json")
        response.headers[bundle.SIGNATURE_HEADER] = bundle.sign(body, settings.secret_key)
        response.headers["Cache-Control"] = "private, no-cache"
        response.set_etag(bundle.etag(body))
        return response.make_conditional(request)  # type: ignore[return-value]

    @part.get("/v1/polls/<poll_id>/explain")
    def _explain(poll_id: str) -> Response:
        key = keys.check_headers(request.headers, "secret")
        raw, install = _install(settings)
        device = _device(request.args)
        with reading(databases.control) as session:
            poll = store.find_poll(session, poll_id, app=key.app).poll
        with store.fresh(databases.ingest) as session:
            history = store.install_history(session, app=key.app, install=install, device=device, poll=poll)
        gates = explain(poll, raw, device, history, clock())
        return jsonify(poll=poll.id, shown=is_shown(gates), gates=[asdict(gate) for gate in gates])

    @part.get("/v1/installs/me")
    def _export() -> Response:
        key, (raw, install) = keys.check_headers(request.headers, "public", "secret"), _install(settings)
        with databases.ingest.begin() as session:
            store.gather_install(session, raw, app=key.app, keys=settings.hash_key)
            rows = store.export_install(session, app=key.app, install=install, key=settings.sealing)
        return Response(msgspec.json.encode(rows), mimetype="application/json")

    @part.delete("/v1/installs/me")
    def _erase() -> Response:
        key, (raw, install) = keys.check_headers(request.headers, "public", "secret"), _install(settings)
        with databases.ingest.begin() as session:
            store.gather_install(session, raw, app=key.app, keys=settings.hash_key)
            store.erase_install(session, app=key.app, install=install)
        return Response(status=204)

    return part


def _device(told: Mapping[str, str]) -> DeviceContext:
    """Read facts that a person typed, who is told of a slip as a phone is not."""
    names = [*WIRE_NAMES.values(), *WIRE_NAMES]
    wrong = [Problem(name, f"is no fact of a device{suggestion(name, names)}") for name in told if name not in names]
    if wrong:
        raise InvalidInputError(*wrong)
    return DeviceContext.from_wire(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    hour: datetime
    until_s: float
    body: bytes


class Bundles:
    """Bundles as composed a moment ago, so that a crowd of phones costs one look at the database.

    What takes long to compose is kept for longer; phones are given the one before while one request composes anew.
    """

    def __init__(self, databases: Databases, seconds: Callable[[], float] = monotonic) -> None:
        self._databases = databases
        self._seconds = seconds
        self._composing = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def of(self, app: str, now: datetime) -> bytes:
        hour = hour_of(now)
        kept = self._kept.get(app)
        if kept is not None and self._serves(kept, hour):
            return kept.body
        may_wait = kept is None or kept.hour != hour
        if not self._composing.acquire(blocking=may_wait) and kept is not None:
            return kept.body
        try:
            kept = self._kept.get(app)
            if kept is None or not self._serves(kept, hour):
                kept = self._kept[app] = self._anew(app, hour, now)
            return kept.body
        finally:
            self._composing.release()

    def _serves(self, kept: _Kept, hour: datetime) -> bool:
        return kept.hour == hour and self._seconds() < kept.until_s

    def _anew(self, app: str, hour: datetime, now: datetime) -> _Kept:
        began_s = self._seconds()
        body = self._compose(app, now)
        ended_s = self._seconds()
        kept_s = max(BUNDLE_KEPT_S, BUNDLE_KEPT_TIMES * (ended_s - began_s))
        return _Kept(hour=hour, until_s=ended_s + kept_s, body=body)

    def _compose(self, app: str, now: datetime) -> bytes:
        with reading(self._databases.control) as session:
            running = [stored.poll for stored in store.running_polls(session, app, now)]
        with reading(self._databases.ingest) as session:
            counts = store.response_counts(session, app=app) if any(poll.responses_limit for poll in running) else {}
            asked = [p for p in running if p.responses_limit is None or counts.get(p.id, 0) < p.responses_limit]
            entries = [
                (
                    poll,
                    [
                        group
                        for quota in poll.quotas
                        for group in store.full_groups(session, app=app, poll=poll, quota=quota)
                    ],
                )
                for poll in asked
            ]
        return bundle.compose(app, entries, now)


def _install(settings: Settings) -> tuple[str, InstallHash]:
    """Return the raw install id of the request and its pseudonym."""
    raw = request.headers.get(INSTALL_HEADER, "")
    if not 4 <= len(raw) <= 200:
        raise InvalidInputError(Problem(INSTALL_HEADER, "must be the raw install id, of 4 to 200 characters"))
    return raw, pseudonymize(raw, settings.hash_key)
