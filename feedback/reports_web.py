"""Reports over HTTP, with an sk_ key: the same cohorts, withheld by the same rule, as in Slack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request

from core.clock import Clock
from core.db import Databases, reading
from core.errors import NotFoundError, all_of
from core.keys import KeyRing
from core.segments import text
from core.settings import Settings
from core.values import period, segment
from feedback import cohorts, store
from feedback.reporting import Asked, choose, report
from feedback.reports import CohortReport, CohortRow
from feedback.scores import Score

WEEK = timedelta(days=7)


def blueprint(databases: Databases, settings: Settings, clock: Clock, keys: KeyRing) -> Blueprint:
    part = Blueprint("reports", __name__)

    @part.get("/v1/reports/<model>")
    def _report(model: str) -> Response:
        """`?by=chipset&since=7d&where=…&poll=P1`: scores by cohort, the lowest first."""
        app = keys.check_headers(request.headers, "secret").app
        asked = _asked(model, request.args)
        with reading(databases.control) as session:
            known = store.list_polls(session, app)
            poll = store.find_poll(session, asked.poll, app=app) if asked.poll else choose(known, model)
        if poll is None:
            raise NotFoundError(f"No poll asks about {model}.")
        built = report(databases, poll, asked, app=app, minimum=settings.minimum_cohort, now=clock())
        return jsonify(poll=poll.ref, **_facts(built))

    return part


def _asked(model: str, said: Mapping[str, str]) -> Asked:
    """Raises: InvalidInputError: every mistake in what was said."""
    attribute = said.get("by", "chipset")
    since, where = said.get("since"), said.get("where")
    all_of(lambda: cohorts.attribute(attribute), lambda: period(since, default=WEEK), lambda: segment(where))
    return Asked(
        model=model, attribute=attribute, since=period(since, default=WEEK), where=segment(where), poll=said.get("poll")
    )  # fmt: skip


def _facts(report: CohortReport) -> dict[str, Any]:
    return {
        "model": report.model,
        "question": report.question.id,
        "privacy": asdict(report.question.privacy) if report.question.privacy else None,
        "by": report.attribute,
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "where": text(report.where),
        "minimum": report.minimum,
        "is_earlier": report.is_earlier,
        "hidden": report.hidden,
        # Of everybody, in steps: it tells of no device, and of nobody by nearly being a number.
        "left_out": report.left_out // report.minimum * report.minimum,
        "overall": report.overall and _score(report.overall),
        "change": asdict(report.change) if report.change else None,
        "response_rate": report.response_rate and _score(report.response_rate),
        "cohorts": [_row(row) for row in report.rows],
    }


def _row(row: CohortRow) -> dict[str, Any]:
    return {
        "cohort": row.cohort,
        **_score(row.score),
        "change": asdict(row.change) if row.change else None,
        "response_rate": row.response_rate and _score(row.response_rate),
    }


def _score(score: Score) -> dict[str, Any]:
    return {"value": score.value, "low": score.low, "high": score.high, "n": score.n, "unit": score.unit}
