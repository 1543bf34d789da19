"""Health for whoever watches: alive (no database), ready (databases, schema, a living worker), metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import prometheus_client
import sqlalchemy as sa
from flask import Blueprint, Response, jsonify

from core.clock import system_clock
from core.db import Databases, reading
from core.engine import last_beat

WORKER_SILENT = timedelta(seconds=60)


def create_blueprint(
    databases: Databases, is_current: Callable[[Databases], bool], gauges: prometheus_client.registry.Collector
) -> Blueprint:
    blueprint = Blueprint("health", __name__)
    own = prometheus_client.CollectorRegistry()
    own.register(gauges)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return jsonify(alive=True)

    @blueprint.get("/readyz")
    def readyz() -> tuple[Response, int]:
        checks = check(databases, is_current)
        return jsonify(checks), 200 if all(checks.values()) else 503

    @blueprint.get("/metrics")
    def metrics() -> Response:
        told = prometheus_client.generate_latest() + prometheus_client.generate_latest(own)
        return Response(told, mimetype="text/plain")

    return blueprint


def check(databases: Databases, is_current: Callable[[Databases], bool]) -> dict[str, bool]:
    """Return what is well: database, schema, worker."""
    try:
        schema = is_current(databases)
    except sa.exc.SQLAlchemyError:
        return {"database": False, "schema": False, "worker": False}
    worker = False
    if schema:
        with reading(databases.control) as session:
            beat = last_beat(session)
        worker = beat is not None and system_clock() - beat < WORKER_SILENT
    return {"database": True, "schema": schema, "worker": worker}
