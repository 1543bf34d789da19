"""`glossary [term]`: what a word means here; read from docs/glossary.md, so there is one list."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from bot.context import Context
from bot.grammar import closest
from bot.request import Request
from bot.views.blocks import Message, context_line, escape, section
from core.errors import NotFoundError

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"
_ROW = re.compile(r"^\|(?P<words>[^|]+)\|(?P<means>[^|]+)\|(?:(?P<field>[^|]*)\|)?\s*$", re.MULTILINE)


def run(ctx: Context, request: Request) -> Message:
    request.only(words=3)
    terms = read(GLOSSARY)
    if request.target is None:
        text = f"{len(terms)} words have one meaning here."
        listed = escape(", ".join(sorted({name for name, _ in terms.values()}, key=str.lower)))
        example = f"`{ctx.settings.slack_command} glossary guardrail`"
        return Message(text=text, blocks=(section(text), section(listed), context_line(example)))
    word = " ".join([request.target, *request.words]).lower()
    found = terms.get(word) or terms.get(word.rstrip("s"))
    if found is None:
        near = closest(word, list(terms))
        guess = f" Did you mean {terms[near][0]}?" if near else ""
        raise NotFoundError(f"The glossary has no word {word}.{guess}")
    name, means = found
    text = f"*{escape(name)}*: {escape(means)}"
    return Message(text=text, blocks=(section(text),))


@cache
def read(path: Path) -> dict[str, tuple[str, str]]:
    """Return each word in lower case with its spelling and meaning; a row may explain several words."""
    terms: dict[str, tuple[str, str]] = {}
    for row in _ROW.finditer(path.read_text(encoding="utf-8")):
        words = [_plain(word) for word in row["words"].split(",")]
        if not words[0] or set(row["words"].strip()) <= set("-: ") or words == ["word"]:
            continue
        for word in words:
            terms[word.lower()] = (", ".join(words), _plain(row["means"]))
    return terms


def _plain(cell: str) -> str:
    return re.sub(r"[*`_]", "", cell).strip()
