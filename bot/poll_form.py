"""The form that makes a poll: from what was filled in to a definition, every mistake at its field. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core.errors import InvalidInputError
from feedback import polls
from feedback.poll_rules import BRANCH_WORDS
from feedback.polls import Poll

FIELDS = ("name", "model", "type", "question", "choices", "open", "percent", "where")
TYPES: Mapping[str, str] = {
    "csat": "Satisfaction, 1 to 5",
    "thumbs": "Thumbs up or down",
    "nps": "Would recommend, 0 to 10",
    "ces": "How easy it was, 1 to 7",
    "rating": "Rating, 1 to 5 stars",
}
WHY = "What went wrong?"
# Where a mistake in the definition is shown in the form.
_AT = (
    ("questions[0]", "question"),
    ("questions[1]", "choices"),
    ("questions[2]", "open"),
    ("sampling", "percent"),
    ("targeting", "where"),
    ("model", "model"),
)


def read(values: Mapping[str, str]) -> Poll:
    """Raises: InvalidInputError: with every mistake; paths are those of the definition."""
    return polls.from_json(definition(values), is_new=True)


def check(values: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong at each field; nothing when the form is fine."""
    wrong: dict[str, str] = {}
    if not values.get("model", "").strip():
        wrong["model"] = "is missing"
    if not _number(values.get("percent", "")):
        wrong["percent"] = "must be a number from 0 to 100, such as 5"
    if twice := _twice(_labels(values.get("choices", ""))):
        wrong["choices"] = f"{twice!r} stands twice"
    try:
        read(values)
    except InvalidInputError as error:
        for problem in error.problems:
            wrong.setdefault(_field(problem.path), problem.message)
    return wrong


def definition(values: Mapping[str, str]) -> dict[str, object]:
    """Return the definition as in a poll file; the same form always makes the same one."""
    said = {name: values.get(name, "").strip() for name in FIELDS}
    questions = _questions(said)
    node: dict[str, object] = {
        "id": f"poll_{_slug(said['model'])}_{_slug(said['name'])}"[:64],
        "name": said["name"],
        "model": said["model"],
        "questions": questions,
        "sampling": {"percent": float(said["percent"]) if _number(said["percent"]) else 100.0},
    }
    if said["where"]:
        node["targeting"] = said["where"]
    return node


def _questions(said: Mapping[str, str]) -> list[dict[str, object]]:
    first: dict[str, object] = {"id": "q_main", "type": said["type"] or "csat", "question": said["question"]}
    labels = _labels(said["choices"])
    questions = [first]
    if labels:
        choices = [{"id": each, "label": label} for each, label in zip(_ids(labels), labels, strict=True)]
        questions.append(
            {"id": "q_why", "type": "multiple_choice", "question": WHY, "choices": choices, "optional": True}
        )
    if said["open"]:
        questions.append({"id": "q_text", "type": "open", "question": said["open"], "optional": True})
    return questions


def _labels(text: str) -> list[str]:
    return [label.strip() for label in text.splitlines() if label.strip()]


def _twice(labels: Sequence[str]) -> str | None:
    return next((label for place, label in enumerate(labels) if label in labels[:place]), None)


def _ids(labels: Sequence[str]) -> list[str]:
    """Return an id for each choice: its label, or its place where the label makes none of its own."""
    ids: list[str] = []
    for number, label in enumerate(labels, 1):
        slug = _slug(label)
        is_free = slug not in ids and slug not in (polls.END, *BRANCH_WORDS)
        ids.append(slug if is_free and slug[:1].isalpha() else f"choice_{number}")
    return ids


def _field(path: str) -> str:
    if path.startswith("questions[1].question"):  # with no choices given, the second question is the open one
        return "open"
    return next((field for start, field in _AT if path.startswith(start)), "name")


def _number(text: str) -> bool:
    return re.fullmatch(r"\d{1,3}(\.\d{1,4})?", text.strip()) is not None


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:24]
