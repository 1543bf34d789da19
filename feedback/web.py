"""What phones fetch: the signed bundle of polls, why a poll is not shown, and one's own data."""

from __future__ import annotations

import threading
from dataclasses import asdict
from datetime import datetime

import msgspec
from flask import Blueprint, Response, jsonify, request

from core.clock import Clock, monotonic
from core.db import Databases, reading
from core.device import DeviceContext
from core.errors import InvalidInputError, NotAllowedError, Problem
from core.keys import KeyRing
from core.privacy import InstallHash, pseudonymize
from core.settings import Settings
from feedback import bundle, store
from feedback.openapi import INSTALL_HEADER
from feedback.targeting import explain, is_shown
from feedback.telemetry import hour_of

BUNDLE_KEPT_S = 1.0


def blueprint(databases: Databases, settings: Settings, clock: Clock, keys: KeyRing) -> Blueprint:
    """Return the routes that phones (and the people behind them) read from."""
    part = Blueprint("collector", __name__)
    bundles = _Bundles(databases)

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
        device = DeviceContext.from_wire(request.args)
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


class _Bundles:
    """Bundles as composed within the last second, so that a crowd of phones costs one look at the database."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, datetime, bytes]] = {}

    def of(self, app: str, now: datetime) -> bytes:
        hour = hour_of(now)
        with self._lock:
            at_s, kept_hour, body = self._kept.get(app, (float("-inf"), now, b""))
            if monotonic() - at_s >= BUNDLE_KEPT_S or kept_hour != hour:
                body = self._compose(app, now)
                self._kept[app] = (monotonic(), hour, body)
        return body

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
