"""Modals and App Home: views and the inputs in them, with Slack's limits by name. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.blocks import Block, clip

TITLE = 24
SUBMIT = 24
LABEL = 150
HINT = 2_000
PLACEHOLDER = 150
OPTION_TEXT = 75
OPTIONS = 100
METADATA = 3_000
VIEW_BLOCKS = 100
INPUT_TEXT = 3_000


def modal(callback_id: str, title: str, blocks: Sequence[Block], *, submit: str, metadata: str = "") -> Block:
    if len(metadata) > METADATA:
        raise ValueError("private_metadata is too long")
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": _plain(title, TITLE),
        "submit": _plain(submit, SUBMIT),
        "close": _plain("Cancel", SUBMIT),
        "private_metadata": metadata,
        "blocks": list(blocks)[:VIEW_BLOCKS],
    }


def home(blocks: Sequence[Block]) -> Block:
    return {"type": "home", "blocks": list(blocks)[:VIEW_BLOCKS]}


def text_input(
    block_id: str,
    label: str,
    *,
    initial: str,
    max_length: int,
    hint: str = "",
    placeholder: str = "",
    multiline: bool = False,
    optional: bool = False,
) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": "value",
        "multiline": multiline,
        "max_length": min(max_length, INPUT_TEXT),
    }
    if initial:
        element["initial_value"] = initial[: min(max_length, INPUT_TEXT)]
    if placeholder:
        element["placeholder"] = _plain(placeholder, PLACEHOLDER)
    return _input(block_id, label, element, hint, optional)


def select(
    block_id: str, label: str, options: Sequence[tuple[str, str]], *, initial: str | None = None, hint: str = ""
) -> Block:
    """`options` are (value, text); at most 100 are shown."""
    shown = [_option(value, text) for value, text in options[:OPTIONS]]
    element: Block = {"type": "static_select", "action_id": "value", "options": shown}
    chosen = next((option for option in shown if option["value"] == initial), None)
    if chosen is not None:
        element["initial_option"] = chosen
    return _input(block_id, label, element, hint, False)


def _input(block_id: str, label: str, element: Block, hint: str, optional: bool) -> Block:
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": _plain(label, LABEL),
        "element": element,
        "optional": optional,
    }
    if hint:
        block["hint"] = _plain(hint, HINT)
    return block


def _option(value: str, text: str) -> Block:
    return {"text": _plain(text, OPTION_TEXT), "value": value}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": clip(text, limit) or "–", "emoji": True}
