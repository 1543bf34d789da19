"""What a person filled in or picked, in the shape Slack gives it to the app. Pure.

https://docs.slack.dev/reference/views#state-object
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.slack.state import Json, acting_elements

# Element type → the field its choice is in, and the field it is preset by.
SINGLE: Mapping[str, tuple[str, str]] = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "overflow": ("selected_option", ""),
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
}
MANY: Mapping[str, tuple[str, str]] = {
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "file_input": ("files", ""),
}


def answer_of(element: Mapping[str, Any], given: object) -> Json:
    """Return the element's part of `state.values`.

    `given` is Slack's own shape, or just the value picked: a text, an option's value, or a list of those.
    None leaves what the element was preset with; null in Slack's shape empties it.
    """
    kind = element["type"]
    name, preset = SINGLE.get(kind) or MANY[kind]
    is_given, chosen = _chosen(given, name)
    if not is_given:
        chosen = element.get(preset) if preset else None
    if kind in MANY:
        items = chosen if isinstance(chosen, list) else [] if chosen is None else [chosen]
        return {"type": kind, name: [_option(element, item) for item in items]}
    return {"type": kind, name: _option(element, chosen) if chosen != "" else None}


def _chosen(given: object, name: str) -> tuple[bool, object]:
    """Whether anything was given, and what. An emptied field is given, as null."""
    if not isinstance(given, Mapping):
        return given is not None, given
    return next(((True, given[key]) for key in (name, "value", "selected") if key in given), (False, None))


def _option(element: Mapping[str, Any], chosen: object) -> object:
    """The whole option where only its value was named."""
    if not isinstance(chosen, str):
        return chosen
    return next((option for option in options_of(element) if option.get("value") == chosen), chosen)


def options_of(element: Mapping[str, Any]) -> list[Json]:
    grouped = [option for group in element.get("option_groups", []) for option in group["options"]]
    return [*element.get("options", []), *grouped]


def values_of(view: Mapping[str, Any], given: Mapping[str, Any]) -> Json:
    """Return `state.values` of a view: every element that can be filled in, with what was given or preset."""
    values: Json = {}
    for block, element in inputs_of(view):
        block_id, action_id = block["block_id"], element["action_id"]
        answer = given.get(block_id, {}).get(action_id)
        values.setdefault(block_id, {})[action_id] = answer_of(element, answer)
    return values


def inputs_of(view: Mapping[str, Any]) -> Iterator[tuple[Json, Json]]:
    for block in view["blocks"]:
        for element in acting_elements(block):
            if element["type"] in SINGLE or element["type"] in MANY:
                yield block, element


def is_empty(answer: Mapping[str, Any]) -> bool:
    return all(value in (None, "", []) for name, value in answer.items() if name != "type")


def complaints_of(view: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """What Slack itself complains about before the app hears of a submission, by block_id."""
    complaints: dict[str, str] = {}
    for block, element in inputs_of(view):
        if block["type"] != "input":
            continue
        answer = values[block["block_id"]][element["action_id"]]
        if is_empty(answer):
            if not block.get("optional", False):
                complaints[block["block_id"]] = "Please complete this required field."
            continue
        complaint = _complaint_of(element, answer)
        if complaint:
            complaints[block["block_id"]] = complaint
    return complaints


def _complaint_of(element: Mapping[str, Any], answer: Mapping[str, Any]) -> str | None:
    value = answer.get("value")
    match element["type"]:
        case "plain_text_input":
            if len(str(value)) < element.get("min_length", 0):
                return f"Must be at least {element['min_length']} characters."
            if len(str(value)) > element.get("max_length", 3000):
                return f"Must be at most {element.get('max_length', 3000)} characters."
        case "number_input":
            return _number_complaint(element, str(value))
        case "email_text_input" if "@" not in str(value):
            return "Enter an email address."
        case "url_text_input" if "://" not in str(value):
            return "Enter a URL."
    return None


def _number_complaint(element: Mapping[str, Any], value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "Enter a number."
    if not element.get("is_decimal_allowed") and number != int(number):
        return "Enter a whole number."
    if "min_value" in element and number < float(element["min_value"]):
        return f"Must be {element['min_value']} or more."
    if "max_value" in element and number > float(element["max_value"]):
        return f"Must be {element['max_value']} or less."
    return None
