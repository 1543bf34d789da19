"""What a person fills in arrives in Slack's shape, however the page said it."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.slack.answers import answer_of, complaints_of, values_of
from sandbox.slack.state import with_ids
from tests.sandbox.kit import Json, field, modal, options, select

FIRST, SECOND = options(2)
PRESET = select(2, initial_option=FIRST)


@pytest.mark.parametrize(
    ("element", "given", "expected"),
    [
        pytest.param(PRESET, None, {"selected_option": FIRST}, id="untouched keeps the preset"),
        pytest.param(PRESET, {"selected_option": None}, {"selected_option": None}, id="emptied is null"),
        pytest.param(PRESET, "1", {"selected_option": SECOND}, id="by value"),
        pytest.param(PRESET, SECOND, {"selected_option": SECOND}, id="by option"),
        pytest.param(PRESET, {"type": "x", "value": "1"}, {"selected_option": SECOND}, id="by a value in a shape"),
        pytest.param(
            {"type": "checkboxes", "options": options(2)},
            ["0", SECOND],
            {"selected_options": [FIRST, SECOND]},
            id="both",
        ),
        pytest.param({"type": "checkboxes", "options": options(2)}, None, {"selected_options": []}, id="none ticked"),
        pytest.param({"type": "plain_text_input", "initial_value": "a"}, {"value": ""}, {"value": None}, id="wiped"),
        pytest.param({"type": "users_select"}, "U0MIA", {"selected_user": "U0MIA"}, id="a person"),
        pytest.param({"type": "datepicker"}, "2026-11-16", {"selected_date": "2026-11-16"}, id="a day"),
    ],
)
def test_an_answer(element: Json, given: object, expected: Json) -> None:
    assert answer_of(element, given) == {"type": element["type"], **expected}


@pytest.mark.parametrize(
    ("element", "answer", "complaint"),
    [
        pytest.param({"type": "plain_text_input", "max_length": 2}, "abc", "Must be at most 2 characters.", id="long"),
        pytest.param({"type": "number_input", "is_decimal_allowed": False}, "1.5", "Enter a whole number.", id="half"),
        pytest.param({"type": "number_input", "is_decimal_allowed": True}, "five", "Enter a number.", id="a word"),
        pytest.param(
            {"type": "number_input", "is_decimal_allowed": True, "min_value": "1", "max_value": "100"},
            "0.5", "Must be 1 or more.", id="too low",
        ),
        pytest.param(
            {"type": "number_input", "is_decimal_allowed": True, "max_value": "100"},
            "101", "Must be 100 or less.", id="too high",
        ),
        pytest.param({"type": "email_text_input"}, "mia", "Enter an email address.", id="no address"),
        pytest.param({"type": "url_text_input"}, "mia", "Enter a URL.", id="no URL"),
    ],
)  # fmt: skip
def test_slack_complains_of(element: Json, answer: str, complaint: str) -> None:
    view: Any = modal(field({**element, "action_id": "a"}, block_id="b"))

    assert complaints_of(view, values_of(view, {"b": {"a": answer}})) == {"b": complaint}


def test_what_is_optional_may_stay_empty() -> None:
    view: Any = modal(field({"type": "plain_text_input", "action_id": "a"}, block_id="b", optional=True))

    assert complaints_of(view, values_of(view, {})) == {}


def test_blocks_and_elements_get_the_ids_they_lack() -> None:
    (block,) = with_ids([field()])

    assert block["block_id"]
    assert block["element"]["action_id"]
