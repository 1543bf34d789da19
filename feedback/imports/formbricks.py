"""Formbricks' responses: the body of its webhook, and what its management API lists. Pure.

A response is sent when it was created, at each update and when it is finished; `data` maps questions to answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.errors import Problem
from feedback.imports.rows import Foreign, Row, Unusable, moment

EVENTS: Final = ("responseCreated", "responseUpdated", "responseFinished")
FACTS: Final[Mapping[str, str]] = {"geo.country": "meta.country", "locale": "language"}


def rows_of(body: object) -> list[object] | None:
    """Return the responses of a webhook's body, or of a list of responses; None if it is neither."""
    if isinstance(body, dict) and "event" in body:
        return [body.get("data")] if body["event"] in EVENTS else []
    rows = body.get("data") if isinstance(body, dict) else body
    return rows if isinstance(rows, list) else None


def read(row: object, survey: str) -> Row | None:
    """Return one response; None for one of another survey, or one that answers nothing yet."""
    if not isinstance(row, dict):
        return Unusable(id=None, problems=(Problem("data", "must be an object: one response"),))
    if str(row.get("surveyId")) != survey:
        return None
    name = str(row["id"]) if row.get("id") else None
    at = moment(row.get("updatedAt")) or moment(row.get("createdAt"))
    told = row.get("data")
    problems = [] if name else [Problem("id", "is missing")]
    problems += [] if at else [Problem("updatedAt", "must be a moment")]
    problems += [] if isinstance(told, dict) else [Problem("data", "must map questions to answers")]
    if problems or name is None or at is None or not isinstance(told, dict):
        return Unusable(id=name, problems=tuple(problems))
    answers = {str(key): value for key, value in told.items() if value not in (None, "", [])}
    if not answers:
        return None
    return Foreign(
        id=f"{name}.{int(at.timestamp() * 1000)}",
        submission=name,
        person=_person(row) or name,
        at=at,
        answers=answers,
        row=row,
        completed=bool(row.get("finished")),
        language=_language(row.get("language")),
    )


def _person(row: Mapping[str, Any]) -> str | None:
    contact = row.get("contact")
    found = contact.get("id") or contact.get("userId") if isinstance(contact, dict) else None
    return str(found) if found else None


def _language(told: object) -> str | None:
    return told if isinstance(told, str) and told != "default" else None
