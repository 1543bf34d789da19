"""Blocks as plain words: for notifications, screen readers, terminals and old Slack clients. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.limits import MESSAGE_TEXT, Block, clip, escape


def plain_text(blocks: Sequence[Block]) -> str:
    lines: list[str] = []
    for block in blocks:
        match block["type"]:
            case "header":
                lines.append(escape(block["text"]["text"]))
            case "section":
                lines += [
                    part["text"] for part in ([block["text"]] if "text" in block else []) + block.get("fields", [])
                ]
            case "context":
                lines.append("  ".join(part.get("text", "") for part in block["elements"]))
            case "table" | "data_table":
                lines.append("```" + escape(aligned(block)) + "```")
            case _:
                pass
    return clip("\n".join(line for line in lines if line), MESSAGE_TEXT)


def aligned(block: Block) -> str:
    rows = [[str(cell["text"]) for cell in row] for row in block["rows"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
