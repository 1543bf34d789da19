"""Message and block primitives, with Slack's limits by name.

Arguments named `text` are mrkdwn: escape what people wrote first. Headers, buttons and table cells are plain
and need no escaping.
Limits: https://docs.slack.dev/reference/block-kit/blocks. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bot.views import limits
from bot.views.limits import Block, clip, escape, size
from bot.views.plain import aligned, plain_text

__all__ = [
    "Block", "Cell", "Message", "Number", "Style", "actions", "bar_chart", "button", "clip", "confirmation",
    "context_line", "degrade", "divider", "escape", "header", "section", "table",
]  # fmt: skip

Style = Literal["primary", "danger"]

_TABLES = frozenset({"table", "data_table"})


@dataclass(frozen=True, slots=True)
class Message:
    """What we say: `text` is the notification and what screen readers hear, never empty; `blocks` are what is seen."""

    text: str
    blocks: tuple[Block, ...] = ()
    in_channel: bool = False

    def __post_init__(self) -> None:
        blocks = _fit(self.blocks)
        text = self.text.strip() or plain_text(blocks) or "Done."
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "text", clip(text, limits.MESSAGE_TEXT if not blocks else limits.NOTIFICATION_TEXT))


@dataclass(frozen=True, slots=True)
class Number:
    """A table cell that sorts as a number and reads as `text`."""

    value: float
    text: str


Cell = str | Number


def header(plain: str) -> Block:
    return {
        "type": "header",
        "text": {"type": "plain_text", "text": clip(plain, limits.HEADER_TEXT) or "–", "emoji": True},
    }


def section(text: str, *, fields: Sequence[str] = (), accessory: Block | None = None) -> Block:
    """Fields beyond ten are left out; the last says how many."""
    block: Block = {"type": "section"}
    if text:
        block["text"] = _mrkdwn(text, limits.SECTION_TEXT)
    shown = list(fields)
    if len(shown) > limits.FIELDS:
        shown = [*shown[: limits.FIELDS - 1], f"… and {len(shown) - limits.FIELDS + 1} more"]
    if shown:
        block["fields"] = [_mrkdwn(field, limits.FIELD_TEXT) for field in shown]
    if not text and not shown:
        block["text"] = _mrkdwn("–", limits.SECTION_TEXT)
    if accessory is not None:
        block["accessory"] = accessory
    return block


def preformatted(plain: str) -> Block:
    """Monospaced text; escapes by itself."""
    return section("```" + clip(escape(plain), limits.SECTION_TEXT - 6) + "```")


def context_line(*texts: str) -> Block:
    shown = [text for text in texts if text][: limits.CONTEXT_ELEMENTS] or ["–"]
    return {"type": "context", "elements": [_mrkdwn(text, limits.FIELD_TEXT) for text in shown]}


def divider() -> Block:
    return {"type": "divider"}


def actions(*elements: Block, block_id: str | None = None) -> Block:
    """Raises: ValueError: none, more than 25, or two of the same action_id (Slack would answer invalid_blocks)."""
    ids = [element.get("action_id") for element in elements]
    if not elements or len(elements) > limits.ACTIONS_ELEMENTS or len(set(ids)) != len(ids):
        raise ValueError(f"actions needs 1 to {limits.ACTIONS_ELEMENTS} elements with different action_ids, not {ids}")
    block: Block = {"type": "actions", "elements": list(elements)}
    if block_id is not None:
        block["block_id"] = block_id
    return block


def button(
    text: str,
    action_id: str,
    value: str,
    style: Style | None = None,
    confirm: Block | None = None,
    *,
    url: str | None = None,
) -> Block:
    """A click runs the command `<noun> <verb> <value>` for action_id `<noun>:<verb>`.

    A third part of the id keeps two buttons of one command apart."""
    if len(value) > limits.BUTTON_VALUE or len(action_id) > limits.ACTION_ID:
        raise ValueError(f"value or action_id of button {action_id!r} is too long")
    element: Block = {
        "type": "button",
        "text": _plain(text, limits.BUTTON_TEXT),
        "action_id": action_id,
        "value": value or "-",
    }
    if style is not None:
        element["style"] = style
    if confirm is not None:
        element["confirm"] = confirm
    if url is not None:
        element["url"] = url
    return element


def confirmation(title: str, text: str, yes: str, *, style: Style | None = None) -> Block:
    dialog: Block = {
        "title": _plain(title, limits.CONFIRM_TITLE),
        "text": _plain(text, limits.CONFIRM_TEXT),
        "confirm": _plain(yes, limits.CONFIRM_BUTTON),
        "deny": _plain("Not now", limits.CONFIRM_BUTTON),
    }
    if style is not None:
        dialog["style"] = style
    return dialog


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str) -> Block:
    """A native sortable table; rows beyond Slack's limits are left out and the caption says how many.

    Raises: ValueError: a row is not as wide as the head, or the head is wider than 20 columns."""
    if not 1 <= len(head) <= limits.TABLE_COLUMNS or any(len(row) != len(head) for row in rows):
        raise ValueError(f"a table has 1 to {limits.TABLE_COLUMNS} columns and rows as wide as its head")
    cells: list[list[Block]] = [[_cell(name) for name in head]]
    size = sum(len(name) for name in head)
    for row in rows[: limits.TABLE_ROWS]:
        made = [_cell(cell) for cell in row]
        size += sum(len(cell["text"]) for cell in made)
        if size > limits.TABLE_TEXT:
            break
        cells.append(made)
    left_out = len(rows) - (len(cells) - 1)
    if len(cells) == 1:
        cells.append([_cell("–") for _ in head])
    caption = f"{caption}, and {left_out} more" if left_out else caption
    return {"type": "data_table", "caption": caption or "Table", "rows": cells, "page_size": limits.TABLE_PAGE}


def bar_chart(
    title: str,
    categories: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    x_label: str | None = None,
    y_label: str | None = None,
) -> Block | None:
    """A native bar chart of at most 20 categories and 6 series, or None when there is nothing to draw.

    Each series has one value per category. https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block"""
    labels = _distinct([clip(category or "–", limits.CHART_LABEL) for category in categories[: limits.CHART_POINTS]])
    if not labels or not series:
        return None
    axis: Block = {"categories": labels}
    if x_label:
        axis["x_label"] = clip(x_label, limits.CHART_AXIS)
    if y_label:
        axis["y_label"] = clip(y_label, limits.CHART_AXIS)
    drawn = [
        {
            "name": clip(name, limits.CHART_LABEL),
            "data": [{"label": label, "value": value} for label, value in zip(labels, values, strict=False)],
        }
        for name, values in list(series.items())[: limits.CHART_SERIES]
    ]
    return {
        "type": "data_visualization",
        "title": clip(title, limits.CHART_TITLE) or "Chart",
        "chart": {"type": "bar", "series": drawn, "axis_config": axis},
    }


def degrade(message: Message, level: int) -> Message:
    """Say the same with simpler blocks, for when Slack answers invalid_blocks.

    0 as it is; 1 charts become tables, or go where a table says the same already, and sortable
    tables become plain ones; 2 tables become monospaced text; 3 text alone."""
    if level <= 0:
        return message
    if level >= 3:
        return Message(text=full_text(message), in_channel=message.in_channel)
    has_table = any(block["type"] in _TABLES for block in message.blocks)
    blocks: list[Block] = []
    for block in message.blocks:
        if block["type"] == "data_visualization":
            if not has_table:
                blocks.append(_chart_as_table(block))
        elif block["type"] == "data_table":
            blocks.append({"type": "table", "rows": [[_as_raw(cell) for cell in row] for row in block["rows"]]})
        else:
            blocks.append(block)
    if level == 2:
        blocks = [preformatted(aligned(block)) if block["type"] in _TABLES else block for block in blocks]
    return replace(message, blocks=tuple(blocks))


def full_text(message: Message) -> str:
    """Everything the message says as mrkdwn lines, buttons left out."""
    body = plain_text(message.blocks)
    return message.text if not body or body.startswith(message.text) else f"{message.text}\n{body}"


def _fit(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Keep within 50 blocks, 2 charts and 12 000 characters; what must go is not the buttons at the end."""
    charts = [block for block in blocks if block["type"] == "data_visualization"]
    kept = [
        block
        for block in blocks
        if block["type"] != "data_visualization" or any(block is chart for chart in charts[: limits.CHARTS])
    ]
    tail = [kept.pop()] if kept and kept[-1]["type"] == "actions" else []
    room = limits.MESSAGE_TEXT - sum(size(block) for block in tail) - 100
    left_out = 0
    while kept and (
        len(kept) + len(tail) + bool(left_out) > limits.MESSAGE_BLOCKS or sum(size(block) for block in kept) > room
    ):
        kept.pop()
        left_out += 1
    if left_out:
        kept.append(context_line(f"… and {left_out} more that Slack has no room for"))
    return (*kept, *tail)


def _mrkdwn(text: str, limit: int) -> Block:
    return {"type": "mrkdwn", "text": clip(text, limit) or "–"}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": clip(text, limit) or "–", "emoji": True}


def _cell(cell: Cell) -> Block:
    if isinstance(cell, Number):
        return {"type": "raw_number", "value": cell.value, "text": cell.text or "–"}
    return {"type": "raw_text", "text": cell or "–"}


def _as_raw(cell: Block) -> Block:
    return {"type": "raw_text", "text": cell["text"]}


def _chart_as_table(chart: Block) -> Block:
    series = chart["chart"]["series"]
    rows = [[_cell(name) for name in ("", *(one["name"] for one in series))]]
    for index, label in enumerate(chart["chart"]["axis_config"]["categories"]):
        rows.append([_cell(label), *(_cell(f"{one['data'][index]['value']:g}") for one in series)])
    return {"type": "table", "rows": rows}


def _distinct(labels: Sequence[str]) -> list[str]:
    """Slack wants categories unique; clipped names may collide."""
    seen: dict[str, int] = {}
    distinct = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        mark = "" if seen[label] == 1 else f" {seen[label]}"
        distinct.append(label[: limits.CHART_LABEL - len(mark)] + mark)
    return distinct
