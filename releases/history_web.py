"""HTTP of a release's life, for pipelines and dashboards with an `sk_…` key: propose one, where each one is and how it
got there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from flask import Blueprint, Response, jsonify, request
from sqlalchemy.orm import Session

from core import segments
from core.clock import Clock
from core.db import Databases, reading
from core.errors import InvalidInputError, NotFoundError
from core.keys import ApiKey, KeyRing
from core.settings import Settings
from releases import forecast_report
from releases import plan as plans
from releases.forecast import Forecast
from releases.plan import Release
from releases.proposing import outcome, propose
from releases.rollout import Rollout
from releases.store import history, load_release, load_rollout, recent_releases

BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
MOST: Final = 50
MAX_BODY_BYTES: Final = 64 * 1024
Foresee = Callable[[Session, Release, datetime], Forecast]
"""What would become of a release that is not committed yet; who knows the installs tells it."""


def blueprint(databases: Databases, _settings: Settings, clock: Clock, keys: KeyRing, *, foresee: Foresee) -> Blueprint:
    routes = Blueprint("release_history", __name__, url_prefix="/v1/releases")

    def key_of() -> ApiKey:
        return keys.check_headers(request.headers, "secret")

    def enter() -> str:
        return key_of().app

    @routes.post("")
    def _propose() -> tuple[Response, int]:
        """Propose a release; people approve it in Slack. `?dry_run=1` keeps nothing and tells what would come of it."""
        key, rehearses = key_of(), request.args.get("dry_run", "") not in ("", "0", "false")
        request.max_content_length = MAX_BODY_BYTES
        body = request.get_json(silent=True, force=True)
        with databases.control() as session, session.begin():
            release, rollout, is_new = propose(session, body, app=key.app, by=key.id, now=clock())
            found = _facts(session, release, rollout)
            if rehearses or is_new:
                ahead = foresee(session, release, clock())
                if ahead.problems:
                    raise InvalidInputError(*ahead.problems)
                found |= {"forecast": msgspec.to_builtins(forecast_report.report(ahead))}
            if rehearses:
                session.rollback()
        return jsonify(found), 201 if is_new and not rehearses else 200

    @routes.get("")
    def _list() -> Response:
        """The newest releases first, at most fifty; `?model=` those of one model."""
        app, model = enter(), request.args.get("model")
        with reading(databases.control) as session:
            pairs = recent_releases(session, app=app, since=BEGINNING, limit=MOST)
            found = [_facts(session, *pair) for pair in reversed(pairs) if model in (None, pair[0].model)]
        return jsonify(releases=found)

    @routes.get("/<ref>")
    def _show(ref: str) -> Response:
        app = enter()
        with reading(databases.control) as session:
            release = load_release(session, ref)
            if release.app != app:
                raise NotFoundError(f"There is no release {ref}.")
            return jsonify(_facts(session, release, load_rollout(session, release.id)))

    return routes


def _facts(session: Session, release: Release, rollout: Rollout) -> dict[str, Any]:
    return {
        "id": release.id, "name": release.name, "model": release.model,
        "baseline": release.baseline_version, "candidate": release.candidate_version, "rival": release.rival_version,
        "plan": plans.text(release.plan), "plan_hash": release.plan_hash,
        "state": str(rollout.state), "percent": release.plan.stages[rollout.stage].percent,
        "outcome": outcome(rollout), "stopped": [segments.text(stop.segment) for stop in rollout.stopped],
        "since": rollout.since.isoformat(), "reason": rollout.reason, "revision": rollout.revision,
        "history": [
            {"at": event.at.isoformat(), "what": event.what, "who": event.who, "reason": event.reason,
             "state": event.facts.get("state")} for event in history(session, release.id)
        ],
    }  # fmt: skip
