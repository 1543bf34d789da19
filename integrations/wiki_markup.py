"""Turns Atlassian Document Format into the wiki markup that Jira Data Center (REST v2) takes in its place.

Every character that could become markup is escaped, so people's words stay words.
https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

TEXT_CHARACTERS: Final = 32_767
LEFT_OUT: Final = "\n\n… and more that Jira has no room for."
_MARKUP = re.compile(r"[\\*_?\-+^~{}\[\]!|#@]")
_CODE = re.compile(r"\{(code|noformat)", re.IGNORECASE)
PANELS: Final[Mapping[str, str]] = {
    "info": "#deebff", "note": "#eae6ff", "warning": "#fffae6", "error": "#ffebe6", "success": "#e3fcef",
}  # fmt: skip


def from_document(document: Mapping[str, Any]) -> str:
    """Return the document in wiki markup; parts for which Jira has no room are left out, and it says so."""
    blocks = [_block(node) for node in document.get("content") or ()]
    text = "\n\n".join(block for block in blocks if block)
    if len(text) <= TEXT_CHARACTERS:
        return text
    while blocks and len("\n\n".join(blocks)) + len(LEFT_OUT) > TEXT_CHARACTERS:
        blocks.pop()
    return "\n\n".join(blocks) + LEFT_OUT


def escaped(plain: str) -> str:
    """Return words that no renderer takes for markup; what starts a line (`h1.`, `bq.`) is broken up as well."""
    text = _MARKUP.sub(lambda found: "\\" + found[0], plain)
    return re.sub(r"^(\s*)(h[1-6]|bq)\.", "\\1\\2\\\\.", text, flags=re.MULTILINE)


def _block(node: Mapping[str, Any]) -> str:
    children = node.get("content") or ()
    match node.get("type"):
        case "paragraph":
            return _inline(node)
        case "heading":
            return f"h{node['attrs']['level']}. {_inline(node)}"
        case "panel":
            color = PANELS.get(str(node["attrs"]["panelType"]), PANELS["info"])
            return f"{{panel:bgColor={color}}}\n{_joined(children)}\n{{panel}}"
        case "bulletList":
            return "\n".join(f"* {_joined(item.get('content') or (), ' ')}" for item in children)
        case "codeBlock":
            code = "".join(str(child.get("text", "")) for child in children)
            harmless = _CODE.sub(r"{ \1", code)
            return f"{{code}}\n{harmless}\n{{code}}"
        case "blockquote":
            return f"{{quote}}\n{_joined(children)}\n{{quote}}"
        case "rule":
            return "----"
        case "table":
            return "\n".join(_row(row) for row in children)
        case _:
            return _joined(children)


def _row(row: Mapping[str, Any]) -> str:
    cells = row.get("content") or ()
    bar = "||" if cells and cells[0].get("type") == "tableHeader" else "|"
    # An empty cell would end the row.
    return bar + bar.join(_joined(cell.get("content") or (), " ") or " " for cell in cells) + bar


def _joined(nodes: Any, between: str = "\n") -> str:
    return between.join(part for part in (_block(node) for node in nodes) if part)


def _inline(node: Mapping[str, Any]) -> str:
    return "".join(_text(child) for child in node.get("content") or ())


def _text(node: Mapping[str, Any]) -> str:
    plain = str(node.get("text", "")) if node.get("type") == "text" else "\n"
    text = escaped(plain)
    for mark in node.get("marks") or ():
        match mark["type"]:
            case "strong":
                text = f"*{text}*"
            case "code":
                text = f"{{{{{text}}}}}"
            case "link":
                text = f"[{text}|{mark['attrs']['href']}]"
    return text
