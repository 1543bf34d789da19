"""Jobs on the web: ordered and told as JSON for pipelines (`sk_…`), and the report card behind a signed link."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from bot import signed_pages
from bot.signed_pages import missing, page, refusal
from bot.views import figures
from bot.views.job_page import job_page
from core.clock import Clock
from core.db import Databases, reading
from core.errors import NotFoundError
from core.keys import KeyRing
from core.settings import Settings
from optimize import store
from optimize.store import Job

LINK_LASTS = timedelta(days=90)
MAX_BODY_BYTES: Final = 64 * 1024
Take = Callable[..., tuple[Job, bool]]
"""Takes an order: a body, and by name `app`, `by` (a key's id) and `now`; returns the job and whether it is new."""


def job_url(job: Job, settings: Settings) -> str:
    """Return the report card's permalink: the same for everybody and every time it is asked for."""
    return signed_pages.url(_path(job.name), settings, until=job.created_at + LINK_LASTS)


def blueprint(databases: Databases, settings: Settings, clock: Clock, keys: KeyRing, *, take: Take) -> Blueprint:
    web = Blueprint("jobs", __name__)

    @web.post("/v1/jobs")
    def _order() -> tuple[Response, int]:
        key = keys.check_headers(request.headers, "secret")
        request.max_content_length = MAX_BODY_BYTES
        body = request.get_json(silent=True, force=True)
        job, is_new = take(body, app=key.app, by=key.id, now=clock())
        return jsonify(facts(job, settings)), 201 if is_new else 200

    @web.get("/v1/jobs")
    def _list() -> Response:
        key = keys.check_headers(request.headers, "secret")
        with reading(databases.control) as session:
            found = store.newest(session, app=key.app, model=request.args.get("model") or None)
        return jsonify(jobs=[facts(job, settings) for job in found])

    @web.get("/v1/jobs/<ref>")
    def _show(ref: str) -> Response:
        key = keys.check_headers(request.headers, "secret")
        with reading(databases.control) as session:
            found = store.load(session, ref, app=key.app)
        return jsonify(facts(found, settings))

    @web.get("/jobs/<ref>")
    def _page(ref: str) -> Response:
        refused = refusal(_path(ref), settings, now=clock(), opens="a report card", ask="job show J7")
        if refused is not None:
            return refused
        try:
            with reading(databases.control) as session:
                found = store.load(session, ref, app=settings.app)
        except NotFoundError:
            return missing("job")
        return page(job_page(found, made=figures.moment(found.ended_at or found.created_at)), 200)

    return web


def facts(job: Job, settings: Settings) -> dict[str, Any]:
    """Return everything about a job; `result.card` is the report card with all its fields."""
    wanted = job.wanted
    return {
        "name": job.name, "kind": wanted.kind, "model": wanted.model, "version": wanted.version,
        "variant": wanted.variant, "parent": wanted.parent, "other": wanted.other, "recipe": wanted.recipe,
        "budget": wanted.budget, "state": job.state, "created_at": job.created_at.isoformat(),
        "started_at": job.started_at and job.started_at.isoformat(),
        "ended_at": job.ended_at and job.ended_at.isoformat(), "cancelled_by": job.cancelled_by,
        "progress": job.progress, "result": job.result, "registered_as": job.registered_as,
        "url": job_url(job, settings),
    }  # fmt: skip


def _path(name: str) -> str:
    return f"/jobs/{name}"
