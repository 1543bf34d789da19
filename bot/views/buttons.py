"""Buttons that run a command line, so a click and a typed command are one thing. Pure."""

from __future__ import annotations

from bot import grammar
from bot.views.blocks import Block, Style, button


def run_button(
    text: str, line: str, style: Style | None = None, confirm: Block | None = None, *, mark: str = ""
) -> Block:
    """A click runs `line` as the one who clicks. `mark` tells two buttons of the same command in one block apart.

    Raises: ValueError: the line is no command of ours."""
    understood = grammar.parse(line)
    if isinstance(understood, grammar.Unknown):
        raise ValueError(f"no command: {line}")
    action_id, value = grammar.click(understood)
    return button(text, f"{action_id}:{mark}" if mark else action_id, value or grammar.NO_VALUE, style, confirm)
