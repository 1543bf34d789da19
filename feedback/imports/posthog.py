"""PostHog's survey events, as its SDKs post them to `/batch` and as it exports them. Pure.

`survey sent` carries answers in three ways: `$survey_response` (the first question), `$survey_response_2` (the third)
and `$survey_response_<question id>`; `$survey_questions` tells which id has which place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.errors import Problem
from feedback.imports.rows import Foreign, Row, Unusable, moment
from feedback.wire import EventName

EVENTS: Final[Mapping[str, EventName]] = {
    "survey sent": "poll answered",
    "survey shown": "poll shown",
    "survey dismissed": "poll dismissed",
    "survey abandoned": "poll abandoned",
}
FACTS: Final[Mapping[str, str]] = {
    "os.name": "properties.$os",
    "os.version": "properties.$os_version",
    "device.manufacturer": "properties.$device_manufacturer",
    "device.model": "properties.$device_model",
    "app.version": "properties.$app_version",
    "locale": "properties.$locale",
    "geo.country": "properties.$geoip_country_code",
}
_RESPONSE: Final = "$survey_response"


def rows_of(body: object) -> list[object] | None:
    """Return the events of a body: `{"batch": […]}`, a bare array, or a single event; None if it is none."""
    if isinstance(body, dict):
        rows = body.get("batch", body.get("data", [body] if "event" in body else None))
        return rows if isinstance(rows, list) else None
    return body if isinstance(body, list) else None


def survey_of(row: object) -> str | None:
    """Return the survey an event is about; None for all else that an app captures."""
    if not isinstance(row, dict) or row.get("event") not in EVENTS:
        return None
    found = _properties(row).get("$survey_id")
    return str(found) if found else None


def read(row: object, survey: str) -> Row | None:
    """Return one event of the survey; None for any other event."""
    if not isinstance(row, dict) or survey_of(row) != survey:
        return None
    told = _properties(row)
    at = moment(row.get("timestamp"))
    person = row.get("distinct_id") or told.get("distinct_id")
    name = row.get("uuid") or told.get("$insert_id")
    problems = [] if name else [Problem("uuid", "is missing: without it the same event could count twice")]
    problems += [] if person else [Problem("distinct_id", "is missing")]
    problems += [] if at else [Problem("timestamp", "must be a moment")]
    if problems or at is None:
        return Unusable(id=str(name) if name else None, problems=tuple(problems))
    event = EVENTS[row["event"]]
    return Foreign(
        id=str(name),
        submission=str(told.get("$survey_submission_id") or name),
        person=str(person),
        at=at,
        answers=_answers(told) if event == "poll answered" else {},
        row=row,
        event=event,
        completed=told["$survey_completed"] if isinstance(told.get("$survey_completed"), bool) else None,
        language=told["$survey_language"] if isinstance(told.get("$survey_language"), str) else None,
    )


def _answers(told: Mapping[str, Any]) -> dict[str, object]:
    """Return the answers by question id where it is known, else by the question's place, from "0"."""
    asked = told.get("$survey_questions")
    ids = [each.get("id") if isinstance(each, dict) else None for each in asked] if isinstance(asked, list) else []
    by_place: dict[str, object] = {}
    by_id: dict[str, object] = {}
    for key, value in told.items():
        if not key.startswith(_RESPONSE) or value in (None, "", []):
            continue
        mark = key.removeprefix(_RESPONSE).removeprefix("_") or "0"
        if mark.isascii() and mark.isdigit() and len(mark) < 4:
            place = int(mark)
            by_place[str(ids[place]) if place < len(ids) and ids[place] else mark] = value
        else:
            by_id[mark] = value
    return by_place | by_id


def _properties(row: Mapping[str, Any]) -> Mapping[str, Any]:
    found = row.get("properties")
    return found if isinstance(found, dict) else {}
