"""Builds Atlassian Document Format, the only rich text that Jira Cloud v3 takes, within its limits.

Texts are plain: nothing in them can become markup. Empty ones vanish, because ADF has no empty text node.
https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/ Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

Node = dict[str, Any]
Inline = Node | str

DOCUMENT_CHARACTERS = 32_767
TABLE_ROWS = 40
CELL_CHARACTERS = 500
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def text(plain: str, *, strong: bool = False, code: bool = False, href: str | None = None) -> Node:
    """Return a text node; code takes no strong beside it, as ADF has it."""
    marks: list[Node] = []
    if code:
        marks.append({"type": "code"})
    elif strong:
        marks.append({"type": "strong"})
    if href is not None:
        marks.append({"type": "link", "attrs": {"href": href}})
    node: Node = {"type": "text", "text": clean(plain)}
    return {**node, "marks": marks} if marks else node


def paragraph(*inlines: Inline) -> Node:
    return _with_content({"type": "paragraph"}, _inlines(inlines))


def heading(level: Literal[1, 2, 3, 4, 5, 6], plain: str) -> Node:
    return _with_content({"type": "heading", "attrs": {"level": level}}, _inlines((plain,)))


def panel(kind: Literal["info", "note", "warning", "error", "success"], *inlines: Inline) -> Node:
    return {"type": "panel", "attrs": {"panelType": kind}, "content": [paragraph(*inlines)]}


def bullets(*items: Inline | Sequence[Inline]) -> Node:
    """Raises: ValueError: no items."""
    if not items:
        raise ValueError("a list needs an item")
    return {"type": "bulletList", "content": [_item(item) for item in items]}


def code_block(plain: str) -> Node:
    content = clean(plain)
    return _with_content({"type": "codeBlock"}, [{"type": "text", "text": content}] if content else [])


def quote(plain: str) -> Node:
    return {"type": "blockquote", "content": [paragraph(plain)]}


def rule() -> Node:
    return {"type": "rule"}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Node:
    """Rows beyond 40 are left out; the last row says how many.

    Raises: ValueError: a row is not as wide as the head.
    """
    if any(len(row) != len(head) for row in rows):
        raise ValueError("every row needs as many cells as the head")
    shown = [list(row) for row in rows[:TABLE_ROWS]]
    if len(rows) > TABLE_ROWS:
        shown.append([f"… and {len(rows) - TABLE_ROWS} more", *[""] * (len(head) - 1)])
    cells = [
        [_cell("tableHeader", name) for name in head],
        *([_cell("tableCell", one) for one in row] for row in shown),
    ]
    return {"type": "table", "content": [{"type": "tableRow", "content": row} for row in cells]}


def document(*blocks: Node) -> Node:
    """Return the document; blocks at the end for which Jira has no room are left out, and it says so."""
    kept = list(blocks)
    while kept and characters(_document(kept, left_out=len(blocks) - len(kept))) > DOCUMENT_CHARACTERS:
        kept.pop()
    return _document(kept, left_out=len(blocks) - len(kept))


def characters(node: Node) -> int:
    """Return the length of the document as Jira stores it."""
    return len(json.dumps(node, ensure_ascii=False, separators=(",", ":")))


def plain_text(node: Node) -> str:
    """Return what a document says, without its form."""
    if node.get("type") == "text":
        return str(node.get("text", ""))
    return "\n".join(part for part in (plain_text(child) for child in node.get("content") or ()) if part)


def clean(plain: str) -> str:
    """Take out what Jira refuses: control characters and halves of characters."""
    return _UNPRINTABLE.sub("", plain)


def _document(blocks: list[Node], *, left_out: int) -> Node:
    note = [paragraph(f"… and {left_out} more parts that Jira has no room for.")] if left_out else []
    return {"version": 1, "type": "doc", "content": [*blocks, *note]}


def _inlines(inlines: Sequence[Inline]) -> list[Node]:
    nodes = [text(each) if isinstance(each, str) else each for each in inlines]
    return [node for node in nodes if node["type"] != "text" or node["text"]]


def _with_content(node: Node, content: list[Node]) -> Node:
    return {**node, "content": content} if content else node


def _item(item: Inline | Sequence[Inline]) -> Node:
    inlines = (item,) if isinstance(item, str | dict) else tuple(item)
    return {"type": "listItem", "content": [paragraph(*inlines)]}


def _cell(kind: str, plain: str) -> Node:
    short = plain if len(plain) <= CELL_CHARACTERS else plain[: CELL_CHARACTERS - 1] + "…"
    return {"type": kind, "attrs": {}, "content": [paragraph(short)]}
