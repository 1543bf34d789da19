"""What other tools tell, for tests: rows, events and bodies in their own shapes."""

from __future__ import annotations

from typing import Any

CONSENT = {"granted": True, "text_version": "2026-10"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def a_mapping(**changes: Any) -> dict[str, Any]:
    """Their three questions lead to those of the poll `heard`."""
    questions = {
        "s_rate": {"question": "q_csat", "values": {"Great": 5, "Awful": 1}},
        "s_why": "q_why",
        "s_text": "q_txt",
    }
    return {"poll": "heard", "questions": questions, "consent": CONSENT} | changes


def a_zigpoll_row(name: str = "r1", **changes: Any) -> dict[str, Any]:
    return {
        "_id": name,
        "createdAt": "2026-11-16T08:00:00.000Z",
        "pollId": "z1",
        "slideId": "s_rate",
        "participantId": f"person-{name}",
        "response": "4",
        "valueType": "numeric",
        "answers": [{"response": "4"}],
        "metadata": {"device": "Pixel 7", "country": "DE"},
    } | changes


def a_formbricks_response(name: str = "f1", **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "createdAt": "2026-11-16T08:00:00.000Z",
        "updatedAt": "2026-11-16T08:00:05.000Z",
        "surveyId": "fb1",
        "finished": True,
        "data": {"s_rate": 2, "s_why": ["Too slow", "It was raining"], "s_text": "Too <b>slow</b>"},
        "meta": {"country": "DE", "userAgent": {"os": "Android"}},
        "contact": {"id": f"contact-{name}", "userId": None},
        "language": "default",
    } | changes


def a_posthog_event(name: str = "018f-1", **changes: Any) -> dict[str, Any]:
    properties = {
        "$survey_id": "ph1",
        "$survey_response": "5",
        "$survey_response_1": ["Too slow"],
        "$survey_response_s_text": "fine",
        "$survey_questions": [{"id": "s_rate"}, {"id": "s_why"}, {"id": "s_text"}],
        "$survey_submission_id": f"sub-{name}",
        "$os": "Android",
        "$device_model": "Pixel 7",
    }
    return {
        "uuid": name,
        "event": "survey sent",
        "distinct_id": f"person-{name}",
        "timestamp": "2026-11-16T08:00:00.000Z",
        "properties": properties | changes.pop("properties", {}),
    } | changes
