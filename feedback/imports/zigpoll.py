"""Zigpoll's responses: one row for each slide that was answered. Pure.

Rows are `_id, createdAt, pollId, slideId, participantId, response, valueType, answers[], metadata{}`; a page is an
array of them, or an object with them under `data`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.errors import Problem
from feedback.imports.rows import Foreign, Row, Unusable, moment

FACTS: Final[Mapping[str, str]] = {"geo.country": "metadata.country", "locale": "metadata.locale"}


def rows_of(page: object) -> list[object] | None:
    """Return the rows of a page; None if it is none."""
    rows = page.get("data") if isinstance(page, dict) else page
    return rows if isinstance(rows, list) else None


def read(row: object, survey: str) -> Row | None:
    """Return one response; None for a row of another poll."""
    if not isinstance(row, dict):
        return Unusable(id=None, problems=(Problem("", "must be an object: one response"),))
    if str(row.get("pollId")) != survey:
        return None
    at = moment(row.get("createdAt"))
    problems = [Problem(name, "is missing") for name in ("_id", "slideId", "participantId") if not row.get(name)]
    problems += [] if at else [Problem("createdAt", "must be a moment")]
    told = _answers(row)
    problems += [] if told else [Problem("answers", "is empty, and so is response")]
    if problems or at is None:
        return Unusable(id=_name(row), problems=tuple(problems))
    return Foreign(
        id=str(row["_id"]),
        submission=f"{row['participantId']}.{survey}",
        person=str(row["participantId"]),
        at=at,
        answers={str(row["slideId"]): told if len(told) > 1 else told[0]},
        row=row,
    )


def _answers(row: Mapping[str, Any]) -> list[object]:
    """Return what was answered: `answers` counts; `response` is the same joined, and stands alone in old rows."""
    answers = row.get("answers")
    each = answers if isinstance(answers, list) else []
    told = [item.get("response", item.get("value")) if isinstance(item, dict) else item for item in each]
    return [item for item in told if item not in (None, "")] or [
        item for item in [row.get("response")] if item not in (None, "")
    ]


def _name(row: Mapping[str, Any]) -> str | None:
    return str(row["_id"]) if row.get("_id") else None
