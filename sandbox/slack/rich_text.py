"""The rules of rich text: sections, lists, quotes and preformatted passages. Pure.

https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.slack.rules import Rule, array, boolean, constant, number, shape, string, typed, whatever

_STYLE = {"style": shape({}, dict.fromkeys(("bold", "italic", "strike", "code", "underline", "highlight",
                                            "client_highlight", "unlink"), boolean))}  # fmt: skip


def _inline(needed: Mapping[str, Rule], allowed: Mapping[str, Rule] | None = None) -> Rule:
    return shape({"type": whatever, **needed}, {**_STYLE, **(allowed or {})})


INLINE: Mapping[str, Rule] = {
    "text": _inline({"text": string(shortest=1)}),
    "link": _inline({"url": string(shortest=1)}, {"text": string(), "unsafe": boolean}),
    "emoji": _inline({"name": string(shortest=1)}, {"unicode": string(), "url": string()}),
    "user": _inline({"user_id": string()}),
    "usergroup": _inline({"usergroup_id": string()}),
    "channel": _inline({"channel_id": string()}),
    "team": _inline({"team_id": string()}),
    "color": _inline({"value": string()}),
    "broadcast": _inline({"range": constant("here", "channel", "everyone")}),
    "date": _inline({"timestamp": number(whole=True), "format": string()}, {"url": string(), "fallback": string()}),
}
_BORDER: Mapping[str, Rule] = {"border": constant(0, 1)}
_SECTION = shape({"type": whatever, "elements": array(typed(lambda: INLINE))})
PASSAGES: Mapping[str, Rule] = {
    "rich_text_section": _SECTION,
    "rich_text_list": shape(
        {"type": whatever, "style": constant("bullet", "ordered"),
         "elements": array(typed(lambda: {"rich_text_section": _SECTION}))},
        {**_BORDER, "indent": number(least=0, most=8, whole=True), "offset": number(least=0, whole=True)},
    ),
    "rich_text_quote": shape({"type": whatever, "elements": array(typed(lambda: INLINE))}, _BORDER),
    "rich_text_preformatted": shape(
        {"type": whatever, "elements": array(typed(lambda: {"text": INLINE["text"], "link": INLINE["link"]}))},
        {**_BORDER, "language": string()},
    ),
}  # fmt: skip
RICH_TEXT = shape(
    {"type": whatever, "elements": array(typed(lambda: PASSAGES), fewest=1)}, {"block_id": string(longest=255)}
)
