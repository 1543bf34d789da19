"""Block Kit's texts, options and interactive elements, as Slack checks them. Pure.

https://docs.slack.dev/reference/block-kit/block-elements and …/composition-objects.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.slack.rules import (
    Complaint,
    Complaints,
    Rule,
    array,
    boolean,
    both,
    constant,
    number,
    shape,
    string,
    typed,
    whatever,
)

ACTION_ID = 255
BUTTON_TEXT = 75
BUTTON_VALUE = 2000
OPTION_TEXT = 75
OPTIONS = 100
URL = 3000


def plain(longest: int) -> Rule:
    return typed(lambda: {"plain_text": _plain(longest)})


def text(longest: int) -> Rule:
    """A plain_text or mrkdwn object."""
    mrkdwn = shape({"type": whatever, "text": string(longest=longest, shortest=1)}, {"verbatim": boolean})
    return typed(lambda: {"plain_text": _plain(longest), "mrkdwn": mrkdwn})


def _plain(longest: int) -> Rule:
    return shape({"type": whatever, "text": string(longest=longest, shortest=1)}, {"emoji": boolean})


STYLE = constant("primary", "danger")
CONFIRM = shape(
    {"text": text(300)},
    {"title": plain(100), "confirm": plain(30), "deny": plain(30), "style": STYLE},
)


def option(label: Rule) -> Rule:
    value = string(longest=150, shortest=1)
    return shape({"text": label, "value": value}, {"description": plain(75), "url": string(longest=URL)})


PLAIN_OPTION = option(plain(OPTION_TEXT))
RICH_OPTION = option(text(OPTION_TEXT))
DISPATCH = shape({}, {"trigger_actions_on": array(constant("on_enter_pressed", "on_character_entered"), fewest=1)})
FILTER = shape(
    {}, {"include": array(whatever), "exclude_bot_users": boolean, "exclude_external_shared_channels": boolean}
)

_COMMON: Mapping[str, Rule] = {"type": whatever, "action_id": string(longest=ACTION_ID, shortest=1)}
_FOCUS: Mapping[str, Rule] = {"focus_on_load": boolean}
_PICK: Mapping[str, Rule] = {**_COMMON, **_FOCUS, "confirm": CONFIRM, "placeholder": plain(150)}
_TYPE: Mapping[str, Rule] = {**_COMMON, **_FOCUS, "placeholder": plain(150), "dispatch_action_config": DISPATCH}
_GROUPS = array(
    shape({"label": plain(75), "options": array(PLAIN_OPTION, fewest=1, most=OPTIONS)}), fewest=1, most=OPTIONS
)
_MANY: Mapping[str, Rule] = {"max_selected_items": number(least=1, whole=True)}


def _chosen_from_either(value: object, at: str, complaints: Complaints) -> None:
    if isinstance(value, dict) and ("options" in value) == ("option_groups" in value):
        complaints.append(Complaint("must define exactly one of `options` or `option_groups`", at))


def _select(kind: str, single: Rule, *, longest_list: bool = False, **more: Rule) -> dict[str, Rule]:
    """The rules of `<kind>_select` and `multi_<kind>_select`, whose first choice is called initial_<…>."""
    name = "option" if kind in ("static", "external") else kind.removesuffix("s")
    many = {**_PICK, **_MANY, f"initial_{name}s": array(single), **more}
    more = {**more} if kind in ("static", "external", "users") else {**more, "response_url_enabled": boolean}
    one = {**_PICK, f"initial_{name}": single, **more}
    rules = {f"{kind}_select": shape({}, one), f"multi_{kind}_select": shape({}, many)}
    return {key: both(rule, _chosen_from_either) for key, rule in rules.items()} if longest_list else rules


SELECTS: Mapping[str, Rule] = {
    **_select("static", PLAIN_OPTION, longest_list=True,
              options=array(PLAIN_OPTION, fewest=1, most=OPTIONS), option_groups=_GROUPS),
    **_select("external", PLAIN_OPTION, min_query_length=number(least=0, whole=True)),
    **_select("users", string()),
    **_select("channels", string()),
    **_select("conversations", string(), filter=FILTER, default_to_current_conversation=boolean),
}  # fmt: skip

_BUTTON: Mapping[str, Rule] = {**_COMMON, "style": STYLE, "confirm": CONFIRM, "accessibility_label": string(longest=75)}
BUTTON = shape(
    {"type": whatever, "text": plain(BUTTON_TEXT)},
    {**_BUTTON, "value": string(longest=BUTTON_VALUE), "url": string(longest=URL)},
)
PICKERS: Mapping[str, Rule] = {
    "checkboxes": shape(
        {"type": whatever, "options": array(RICH_OPTION, fewest=1, most=10)},
        {**_COMMON, **_FOCUS, "confirm": CONFIRM, "initial_options": array(RICH_OPTION, fewest=1)},
    ),
    "radio_buttons": shape(
        {"type": whatever, "options": array(RICH_OPTION, fewest=1, most=10)},
        {**_COMMON, **_FOCUS, "confirm": CONFIRM, "initial_option": RICH_OPTION},
    ),
    "datepicker": shape({}, {**_PICK, "initial_date": string()}),
    "timepicker": shape({}, {**_PICK, "initial_time": string(), "timezone": string()}),
    "datetimepicker": shape({}, {**_COMMON, **_FOCUS, "confirm": CONFIRM, "initial_date_time": number(whole=True)}),
}
OVERFLOW = shape({"type": whatever, "options": array(PLAIN_OPTION, fewest=1, most=5)}, {**_COMMON, "confirm": CONFIRM})
WORKFLOW_BUTTON = shape({"type": whatever, "text": plain(BUTTON_TEXT), "workflow": whatever}, _BUTTON)
RICH_TEXT_INPUT = shape(
    {}, {**_TYPE, "initial_value": whatever, "min_lines": number(whole=True), "max_lines": number(whole=True)}
)
IMAGE = shape(
    {"type": whatever, "alt_text": string(longest=2000)}, {"image_url": string(longest=URL), "slack_file": whatever}
)

TEXT_INPUTS: Mapping[str, Rule] = {
    "plain_text_input": shape(
        {},
        {**_TYPE, "initial_value": string(longest=3000), "multiline": boolean,
         "min_length": number(least=0, most=3000, whole=True), "max_length": number(least=1, most=3000, whole=True)},
    ),
    "email_text_input": shape({}, {**_TYPE, "initial_value": string()}),
    "url_text_input": shape({}, {**_TYPE, "initial_value": string()}),
    "number_input": shape(
        {"type": whatever, "is_decimal_allowed": boolean},
        {**_TYPE, "initial_value": string(), "min_value": string(), "max_value": string()},
    ),
    "rich_text_input": RICH_TEXT_INPUT,
    "file_input": shape(
        {}, {**_COMMON, "filetypes": array(string(), fewest=1), "max_files": number(least=1, most=10, whole=True)}
    ),
}  # fmt: skip

IN_ACTIONS: Mapping[str, Rule] = {
    "button": BUTTON, "overflow": OVERFLOW, "workflow_button": WORKFLOW_BUTTON, **SELECTS, **PICKERS,
    "rich_text_input": RICH_TEXT_INPUT,
}  # fmt: skip
IN_SECTION: Mapping[str, Rule] = {
    "button": BUTTON, "overflow": OVERFLOW, "workflow_button": WORKFLOW_BUTTON, **SELECTS, **PICKERS, "image": IMAGE,
}  # fmt: skip
IN_INPUT: Mapping[str, Rule] = {**SELECTS, **PICKERS, **TEXT_INPUTS}
IN_CONTEXT: Mapping[str, Rule] = {
    "image": IMAGE,
    "plain_text": _plain(2000),
    "mrkdwn": shape({"type": whatever, "text": string(longest=2000, shortest=1)}, {"verbatim": boolean}),
}
_FEEDBACK = shape({"text": plain(75), "value": string(longest=2000)}, {"accessibility_label": string(longest=75)})
IN_CONTEXT_ACTIONS: Mapping[str, Rule] = {
    "feedback_buttons": shape(
        {"type": whatever, "positive_button": _FEEDBACK, "negative_button": _FEEDBACK},
        {"action_id": _COMMON["action_id"]},
    ),
    "icon_button": shape(
        {"type": whatever, "icon": string(), "text": plain(BUTTON_TEXT)},
        {**_COMMON, "value": string(longest=BUTTON_VALUE), "confirm": CONFIRM,
         "accessibility_label": string(longest=75), "visible_to_user_ids": array(string())},
    ),
}  # fmt: skip
