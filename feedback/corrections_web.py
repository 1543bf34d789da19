"""Corrections over HTTP, with an sk_ key, as tasks that Label Studio imports."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, jsonify, request

from core.clock import Clock
from core.db import Databases
from core.keys import KeyRing
from core.settings import Settings
from core.values import period
from feedback import store
from feedback.label_studio import config, tasks

MONTH = timedelta(days=30)
AT_MOST = 10_000


def blueprint(databases: Databases, settings: Settings, clock: Clock, keys: KeyRing) -> Blueprint:
    part = Blueprint("corrections", __name__)

    @part.get("/v1/corrections/<model>")
    def _corrections(model: str) -> Response:
        """`?since=30d`: the right labels that people gave, the newest; none when too few people did."""
        app = keys.check_headers(request.headers, "secret").app
        now = clock()
        since = now - period(request.args.get("since"), default=MONTH)
        with store.fresh(databases.ingest) as session:
            found = store.corrections(
                session, app=app, model=model, since=since, until=now, key=settings.sealing,
                minimum=settings.minimum_cohort, limit=AT_MOST,
            )  # fmt: skip
        return jsonify(tasks=tasks(found.told), config=config(found.told), is_cut=found.is_cut)

    return part
