"""Slack's documented limits by name, and the two things done to text before it leaves: escape and clip.

https://docs.slack.dev/reference/block-kit/blocks. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Block = dict[str, Any]

MESSAGE_BLOCKS = 50
MESSAGE_TEXT = 12_000  # Slack refuses near 13 200 characters even when every block is legal
NOTIFICATION_TEXT = 3_000
SECTION_TEXT = 3_000
FIELD_TEXT = 2_000
FIELDS = 10
HEADER_TEXT = 150
CONTEXT_ELEMENTS = 10
ACTIONS_ELEMENTS = 25
ACTION_ID = 255
BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
TABLE_ROWS = 100
TABLE_COLUMNS = 20
TABLE_TEXT = 10_000
TABLE_PAGE = 10
CHART_TITLE = 50
CHART_SERIES = 6
CHART_POINTS = 20
CHART_LABEL = 20
CHART_AXIS = 50
CHARTS = 2

_WORDS = frozenset({"text", "caption", "title", "label", "alt_text", "name", "x_label", "y_label"})


def escape(text: str) -> str:
    """Make people's words harmless: afterwards `<!channel>` pings nobody. Once, and last."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, limit: int) -> str:
    """Cut to `limit` characters with an ellipsis; never inside an `&lt;` that escape made."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    entity = cut.rfind("&", max(0, len(cut) - 4))
    if entity >= 0 and ";" not in cut[entity:]:
        cut = cut[:entity]
    return cut.rstrip() + "…"


def size(value: object) -> int:
    """How many characters of `value` count toward the text of a whole message."""
    return sum(len(text) for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(part, str):
                if key in _WORDS:
                    yield part
            else:
                yield from _texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from ([part] if isinstance(part, str) else _texts(part))
