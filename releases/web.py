"""HTTP of releases: model files in (`sk_…`) and out, what is registered, and OFREP."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, jsonify, request, send_file
from sqlalchemy.orm import Session

from core.clock import Clock, monotonic
from core.db import Databases, reading
from core.errors import AppError, NotFoundError
from core.keys import KeyRing
from core.settings import Settings
from releases import ofrep, push, registry, training, upload_web
from releases.artifact_store import current_baselines, find_artifact, find_artifacts, models
from releases.artifacts import SHA256, Artifact
from releases.blobs import Blobs, TooLargeError
from releases.catalog import Catalog
from releases.registry import Beside, Companion, Inspection
from releases.store import open_releases

CHUNK_BYTES = 1 << 20
ONE_RANGE = re.compile(r"bytes=\s*(\d+-\d*|-\d+)\s*", re.IGNORECASE)


class GoneError(AppError):
    status = 410


def blueprint(
    databases: Databases, settings: Settings, clock: Clock, keys: KeyRing, *, seconds: Callable[[], float] = monotonic,
    stopping: threading.Event | None = None,
) -> Blueprint:  # fmt: skip
    """`stopping` is set when the process is about to stop: open streams end then."""
    routes = Blueprint("releases", __name__)
    catalog = Catalog(databases, seconds=seconds)
    routes.register_blueprint(ofrep.blueprint(databases, settings, keys, clock=clock, seconds=seconds, catalog=catalog))
    pace = push.Pace(seconds=seconds, wait=(stopping or threading.Event()).wait)
    routes.register_blueprint(push.blueprint(catalog, clock, key=settings.secret_key, pace=pace))
    routes.register_blueprint(upload_web.blueprint(databases, settings, clock, keys))
    _tell_models(routes, databases, settings, keys)
    blobs = Blobs(settings.blob_dir)

    @routes.put("/v1/artifacts/<sha256>")
    def _register(sha256: str) -> tuple[Response, int]:
        key = keys.check_headers(request.headers, "secret")
        stated, companions = _told(request.args)
        artifact, trained = training.read_stated(sha256, stated, clock().date())
        size = _uploaded(databases, blobs, key.app, sha256)
        if size is None:
            if (request.content_length or 0) > settings.max_artifact_bytes:
                raise TooLargeError(f"A model file has at most {settings.max_artifact_bytes} bytes here.")
            size = blobs.put(_chunks(), sha256=sha256, max_bytes=settings.max_artifact_bytes)
        artifact = replace(artifact, size_bytes=size)
        with databases.control.begin() as session:
            kept, is_new = registry.register(
                session, artifact, app=key.app, by=key.id, now=clock(), companions=companions
            )
            if trained is not None:
                told = {"app": key.app, "model": kept.model, "version": kept.version}
                training.note(session, trained, **told, by=key.id, now=clock())
            registry.note_file(session, app=key.app, sha256=sha256, size_bytes=size, by=key.id, now=clock())
            (facts,) = _facts(session, key.app, [kept], settings)
        return jsonify(facts), 201 if is_new else 200

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
        if not ONE_RANGE.fullmatch(request.headers.get("Range", "")):  # RFC 9110, 14.2: what is not known is ignored
            request.environ.pop("HTTP_RANGE", None)
        reply = send_file(path.resolve(), mimetype="application/octet-stream", etag=sha256, conditional=True)
        reply.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return reply

    return routes


def _uploaded(databases: Databases, blobs: Blobs, app: str, sha256: str) -> int | None:
    """Return the size of a file that came by /v1/uploads, when this request brings no bytes of its own."""
    if (
        blobs.path(sha256) is None
        or request.content_length
        or "chunked" in request.headers.get("Transfer-Encoding", "")
    ):
        return None
    with reading(databases.control) as session:
        return registry.size_of(session, app=app, sha256=sha256)


def _tell_models(routes: Blueprint, databases: Databases, settings: Settings, keys: KeyRing) -> None:
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


def _told(args: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what is stated of the artifact, and the digests of its companions by role."""
    companions = {role: args[role] for role in registry.ROLES if args.get(role)}
    return {name: value for name, value in args.items() if name not in registry.ROLES}, companions


def _chunks() -> Iterator[bytes]:
    stream = request.stream
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _model(session: Session, app: str, model: str, settings: Settings) -> dict[str, Any]:
    baselines = current_baselines(session, app=app, model=model)
    releases = open_releases(session, app=app, model=model)
    artifacts = find_artifacts(session, app=app, model=model)
    return {
        "model": model,
        "baseline": baselines[0].version if baselines else None,
        "artifacts": _facts(session, app, artifacts, settings),
        "releases": [
            {"id": release.id, "name": release.name, "version": release.candidate_version, "state": str(rollout.state),
             "percent": release.plan.stages[rollout.stage].percent}
            for release, rollout in releases
        ],
    }  # fmt: skip


def _facts(session: Session, app: str, artifacts: Sequence[Artifact], settings: Settings) -> list[dict[str, Any]]:
    found = registry.beside(session, app=app, artifacts=[each.sha256 for each in artifacts])
    return [_artifact(each, found[each.sha256], settings) for each in artifacts]


def _artifact(artifact: Artifact, beside: Beside, settings: Settings) -> dict[str, Any]:
    own = beside.inspections.get(registry.MODEL)
    return {
        "sha256": artifact.sha256, "model": artifact.model, "version": artifact.version, "variant": artifact.variant,
        "size_bytes": artifact.size_bytes, "runtime": artifact.runtime, "min_app": artifact.min_app,
        "min_os": artifact.min_os, "min_ram_gb": artifact.min_ram_gb, "accelerators": list(artifact.accelerators),
        "baseline": artifact.is_baseline, "quarantined": artifact.quarantined,
        "made_from": artifact.made_from, "made_by": artifact.made_by,
        "needs": own.facts if own else None, "refused": own.refused if own else None,
        "companions": [_companion(each, beside.inspections.get(each.role)) for each in beside.companions.values()],
        "url": f"{settings.public_url}/v1/artifacts/{artifact.sha256}",
    }  # fmt: skip


def _companion(companion: Companion, inspection: Inspection | None) -> dict[str, Any]:
    return {
        "role": companion.role, "sha256": companion.sha256, "size_bytes": companion.size_bytes,
        "facts": inspection.facts if inspection else None, "refused": inspection.refused if inspection else None,
    }  # fmt: skip
