"""Whether Slack would take a message or a view, and its words when it would not. Pure.

>>> check_message("hello", [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]).messages
('[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]',)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sandbox.slack.block_rules import MARKDOWN_TEXT, MESSAGE_BLOCKS, MOST_OF_KIND, VIEWS
from sandbox.slack.data_rules import text_length
from sandbox.slack.rules import Complaint, Complaints, typed

MESSAGE_TEXT = 40_000
# Not in Slack's reference, but seen: beyond this a message fails although every block is legal.
BLOCKS_TEXT = 13_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Slack's `error` and the lines of `response_metadata.messages`."""

    error: str
    complaints: tuple[Complaint, ...] = ()

    @property
    def messages(self) -> tuple[str, ...]:
        return tuple(f"[ERROR] {complaint}" for complaint in self.complaints)

    def answer(self) -> dict[str, object]:
        answer: dict[str, object] = {"ok": False, "error": self.error}
        if self.complaints:
            answer["errors"] = [str(complaint) for complaint in self.complaints]
            answer["response_metadata"] = {"messages": list(self.messages)}
        return answer


def check_message(text: str | None, blocks: object) -> Refusal | None:
    """Return why Slack would refuse the message, or None."""
    if text is not None and len(text) > MESSAGE_TEXT:
        return Refusal(error="msg_too_long")
    if blocks is None or blocks == []:
        return None if text else Refusal(error="no_text")
    complaints: Complaints = []
    MESSAGE_BLOCKS(blocks, "/blocks", complaints)
    _check_whole(blocks, "/blocks", complaints)
    if complaints:
        return Refusal(error="invalid_blocks", complaints=tuple(complaints))
    if text_length(blocks) > BLOCKS_TEXT:
        return Refusal(error="msg_blocks_too_long")
    return None


def check_view(view: object) -> Refusal | None:
    """Return why Slack would refuse the modal or App Home, or None."""
    complaints: Complaints = []
    typed(lambda: VIEWS)(view, "/view", complaints)
    if isinstance(view, Mapping):
        blocks = view.get("blocks")
        _check_whole(blocks, "/view/blocks", complaints)
        asks = any(block.get("type") == "input" for block in _blocks(blocks))
        if view.get("type") == "modal" and asks and "submit" not in view:
            complaints.append(Complaint("missing required field: submit", "/view"))
    return Refusal(error="invalid_arguments", complaints=tuple(complaints)) if complaints else None


def _check_whole(blocks: object, at: str, complaints: Complaints) -> None:
    """What concerns the blocks together: ids told apart, not too many of a kind."""
    known = list(_blocks(blocks))
    ids = Counter(block["block_id"] for block in known if isinstance(block.get("block_id"), str))
    for block_id, times in ids.items():
        if times > 1 and block_id:
            complaints.append(Complaint(f'`block_id` "{block_id}" already exists for another block', at))
    for kind, most in MOST_OF_KIND.items():
        if sum(block.get("type") == kind for block in known) > most:
            complaints.append(Complaint(f"no more than {most} `{kind}` blocks allowed", at))
    written = [block.get("text") for block in known if block.get("type") == "markdown"]
    if sum(len(text) for text in written if isinstance(text, str)) > MARKDOWN_TEXT and len(written) > 1:
        complaints.append(Complaint(f"markdown blocks must hold no more than {MARKDOWN_TEXT} characters in all", at))
    for place, block in enumerate(known):
        actions = Counter(_action_ids(block))
        for action_id, times in actions.items():
            if times > 1:
                complaints.append(
                    Complaint(f'`action_id` "{action_id}" already exists for another element', f"{at}/{place}")
                )


def _blocks(blocks: object) -> Iterator[Mapping[str, object]]:
    if isinstance(blocks, list):
        yield from (block for block in blocks if isinstance(block, Mapping))


def _action_ids(block: Mapping[str, object]) -> Iterator[str]:
    elements = block.get("elements")
    for element in elements if isinstance(elements, list) else ():
        if isinstance(element, Mapping) and isinstance(element.get("action_id"), str):
            yield str(element["action_id"])
