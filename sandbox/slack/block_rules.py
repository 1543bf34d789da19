"""Block Kit's blocks, each with the shape and sizes that Slack allows it. Pure.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.slack.data_rules import CHART_BLOCK, DATA_TABLE, TABLE
from sandbox.slack.elements import (
    BUTTON,
    IMAGE,
    IN_ACTIONS,
    IN_CONTEXT,
    IN_CONTEXT_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    URL,
    plain,
    text,
)
from sandbox.slack.rich_text import RICH_TEXT
from sandbox.slack.rules import (
    Complaint,
    Complaints,
    Rule,
    array,
    boolean,
    both,
    constant,
    shape,
    string,
    typed,
    whatever,
)

SECTION_TEXT = 3000
SECTION_FIELDS = 10
FIELD_TEXT = 2000
HEADER_TEXT = 150
ACTIONS = 25
CONTEXT = 10
MARKDOWN_TEXT = 12_000

_BLOCK: Mapping[str, Rule] = {"type": whatever, "block_id": string(longest=255)}


def _block(needed: Mapping[str, Rule], allowed: Mapping[str, Rule] | None = None) -> Rule:
    return shape(needed, {**_BLOCK, **(allowed or {})})


def _text_or_fields(value: object, at: str, complaints: Complaints) -> None:
    if isinstance(value, dict) and "text" not in value and "fields" not in value:
        complaints.append(Complaint("must define either `text` or `fields`", at))


def _picture(value: object, at: str, complaints: Complaints) -> None:
    if isinstance(value, dict) and ("image_url" in value) == ("slack_file" in value):
        complaints.append(Complaint("must define exactly one of `image_url` or `slack_file`", at))


IMAGE_BLOCK = both(
    _block(
        {"alt_text": string(longest=2000)},
        {"image_url": string(longest=URL), "slack_file": whatever, "title": plain(2000)},
    ),
    _picture,
)
VIDEO = _block(
    {"alt_text": string(), "title": plain(199), "thumbnail_url": string(), "video_url": string()},
    {"author_name": string(longest=49), "description": plain(199), "provider_icon_url": string(),
     "provider_name": string(), "title_url": string()},
)  # fmt: skip
CARD = _block(
    {},
    {"actions": array(BUTTON, fewest=1, most=5), "body": text(200), "hero_image": IMAGE, "icon": IMAGE,
     "subtitle": text(150), "title": text(150)},
)  # fmt: skip
_SOURCE = shape({"type": constant("url"), "url": string(), "text": string()})
TASK = _block(
    {"task_id": string(), "title": string(), "status": constant("pending", "in_progress", "complete", "error")},
    {"details": typed(lambda: {"rich_text": RICH_TEXT}), "output": typed(lambda: {"rich_text": RICH_TEXT}),
     "sources": array(_SOURCE)},
)  # fmt: skip

EVERYWHERE: Mapping[str, Rule] = {
    "section": both(
        _block(
            {},
            {
                "text": text(SECTION_TEXT),
                "fields": array(text(FIELD_TEXT), fewest=1, most=SECTION_FIELDS),
                "accessory": typed(lambda: IN_SECTION),
                "expand": boolean,
            },
        ),
        _text_or_fields,
    ),
    "header": _block({"text": plain(HEADER_TEXT)}),
    "divider": _block({}),
    "image": IMAGE_BLOCK,
    "actions": _block({"elements": array(typed(lambda: IN_ACTIONS), fewest=1, most=ACTIONS)}),
    "context": _block({"elements": array(typed(lambda: IN_CONTEXT), fewest=1, most=CONTEXT)}),
    "input": _block(
        {"label": plain(2000), "element": typed(lambda: IN_INPUT)},
        {"hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "rich_text": RICH_TEXT,
    "video": VIDEO,
}
_IN_CONTAINER = (
    "section", "header", "divider", "image", "actions", "context", "input", "rich_text", "video", "table", "file",
)  # fmt: skip
IN_MESSAGE: Mapping[str, Rule] = {
    **EVERYWHERE,
    "markdown": _block({"text": string(longest=MARKDOWN_TEXT, shortest=1)}),
    "table": TABLE,
    "data_table": DATA_TABLE,
    "data_visualization": CHART_BLOCK,
    "file": _block({"external_id": string(), "source": constant("remote")}),
    "context_actions": _block({"elements": array(typed(lambda: IN_CONTEXT_ACTIONS), fewest=1, most=5)}),
    "card": CARD,
    "carousel": _block({"elements": array(typed(lambda: {"card": CARD}), fewest=1, most=10)}),
    "container": _block(
        {"child_blocks": array(typed(lambda: {kind: IN_MESSAGE[kind] for kind in _IN_CONTAINER}), fewest=1, most=10)},
        {"title": plain(150), "rich_text_title": typed(lambda: {"rich_text": RICH_TEXT}), "subtitle": text(150),
         "icon": IMAGE, "default_collapsed": boolean, "has_header_divider": boolean, "is_collapsible": boolean,
         "width": constant("narrow", "standard", "wide", "full")},
    ),
    "task_card": TASK,
    "plan": _block({"title": string()}, {"tasks": array(typed(lambda: {"task_card": TASK}), most=50)}),
}  # fmt: skip
IN_MODAL: Mapping[str, Rule] = {
    **EVERYWHERE,
    "alert": _block({"text": text(200)}, {"level": constant("default", "info", "warning", "error", "success")}),
}
IN_HOME: Mapping[str, Rule] = EVERYWHERE

_VIEW: Mapping[str, Rule] = {
    "callback_id": string(longest=255),
    "private_metadata": string(longest=3000),
    "external_id": string(longest=255),
}
VIEWS: Mapping[str, Rule] = {
    "modal": shape(
        {"type": whatever, "title": plain(24), "blocks": array(typed(lambda: IN_MODAL), most=100)},
        {**_VIEW, "close": plain(24), "submit": plain(24), "clear_on_close": boolean, "notify_on_close": boolean},
    ),
    "home": shape({"type": whatever, "blocks": array(typed(lambda: IN_HOME), most=100)}, _VIEW),
}
MESSAGE_BLOCKS = array(typed(lambda: IN_MESSAGE), most=50)
MOST_OF_KIND: Mapping[str, int] = {"data_visualization": 2, "table": 1}
