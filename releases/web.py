"""HTTP of releases: model files in (`sk_…`) and out, what is registered, and OFREP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request, send_file
from sqlalchemy.orm import Session

from core import audit
from core.clock import Clock, monotonic
from core.db import Databases, reading
from core.errors import AppError, NotFoundError
from core.keys import ApiKey, KeyRing
from core.settings import Settings
from releases import ofrep, push
from releases.artifact_store import current_baselines, find_artifact, find_artifacts, models, register_artifact
from releases.artifacts import SHA256, Artifact, read_artifact
from releases.blobs import Blobs, TooLargeError
from releases.catalog import Catalog
from releases.store import open_releases

CHUNK_BYTES = 1 << 20


class GoneError(AppError):
    status = 410


def blueprint(
    databases: Databases, settings: Settings, clock: Clock, keys: KeyRing, *, seconds: Callable[[], float] = monotonic
) -> Blueprint:
    routes = Blueprint("releases", __name__)
    catalog = Catalog(databases, seconds=seconds)
    routes.register_blueprint(ofrep.blueprint(databases, settings, keys, clock=clock, seconds=seconds, catalog=catalog))
    routes.register_blueprint(push.blueprint(catalog, clock, key=settings.secret_key, pace=push.Pace(seconds=seconds)))
    blobs = Blobs(settings.blob_dir)

    @routes.put("/v1/artifacts/<sha256>")
    def _register(sha256: str) -> tuple[Response, int]:
        key = keys.check_headers(request.headers, "secret")
        artifact = read_artifact(sha256, request.args)
        if (request.content_length or 0) > settings.max_artifact_bytes:
            raise TooLargeError(f"A model file has at most {settings.max_artifact_bytes} bytes here.")
        size = blobs.put(_chunks(), sha256=sha256, max_bytes=settings.max_artifact_bytes)
        with databases.control.begin() as session:
            kept, is_new = _register_once(session, replace(artifact, size_bytes=size), key, clock())
        return jsonify(_facts(kept, settings)), 201 if is_new else 200

    @routes.get("/v1/artifacts/<sha256>")
    def _fetch(sha256: str) -> Response:
        key = keys.check_headers(request.headers, "public", "secret")
        path = blobs.path(sha256) if SHA256.fullmatch(sha256) else None
        with reading(databases.control) as session:
            artifact = find_artifact(session, app=key.app, sha256=sha256)
        if artifact.quarantined and key.scope == "public":
            raise GoneError(f"{artifact.name} was rolled back; it is not served to phones again.")
        if path is None:
            raise NotFoundError(f"The file of {artifact.name} is not here.")
        reply = send_file(path.resolve(), mimetype="application/octet-stream", etag=sha256, conditional=True)
        reply.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return reply

    @routes.get("/v1/models")
    def _list() -> Response:
        key = keys.check_headers(request.headers, "secret")
        with reading(databases.control) as session:
            found = [_model(session, key.app, model, settings) for _, model in models(session, app=key.app)]
        return jsonify(models=found)

    @routes.get("/v1/models/<name>")
    def _show(name: str) -> Response:
        key = keys.check_headers(request.headers, "secret")
        with reading(databases.control) as session:
            if (key.app, name) not in models(session, app=key.app):
                raise NotFoundError(f"There is no model {name}.")
            return jsonify(_model(session, key.app, name, settings))

    return routes


def _register_once(session: Session, artifact: Artifact, key: ApiKey, now: datetime) -> tuple[Artifact, bool]:
    """Return the artifact as it is kept, and whether it is new."""
    is_new = register_artifact(session, artifact, app=key.app, by=key.id, now=now)
    if is_new:
        facts = {"sha256": artifact.sha256, "app": key.app, "baseline": artifact.is_baseline}
        audit.record(session, who=key.id, what="artifact.registered", subject=artifact.name, now=now, facts=facts)
    return find_artifact(session, app=key.app, sha256=artifact.sha256), is_new


def _chunks() -> Iterator[bytes]:
    stream = request.stream
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _model(session: Session, app: str, model: str, settings: Settings) -> dict[str, Any]:
    baselines = current_baselines(session, app=app, model=model)
    releases = open_releases(session, app=app, model=model)
    return {
        "model": model,
        "baseline": baselines[0].version if baselines else None,
        "artifacts": [_facts(artifact, settings) for artifact in find_artifacts(session, app=app, model=model)],
        "releases": [
            {"id": release.id, "name": release.name, "version": release.candidate_version, "state": str(rollout.state),
             "percent": release.plan.stages[rollout.stage].percent}
            for release, rollout in releases
        ],
    }  # fmt: skip


def _facts(artifact: Artifact, settings: Settings) -> dict[str, Any]:
    return {
        "sha256": artifact.sha256, "model": artifact.model, "version": artifact.version, "variant": artifact.variant,
        "size_bytes": artifact.size_bytes, "runtime": artifact.runtime, "min_app": artifact.min_app,
        "min_os": artifact.min_os, "min_ram_gb": artifact.min_ram_gb, "accelerators": list(artifact.accelerators),
        "baseline": artifact.is_baseline, "quarantined": artifact.quarantined,
        "url": f"{settings.public_url}/v1/artifacts/{artifact.sha256}",
    }  # fmt: skip
