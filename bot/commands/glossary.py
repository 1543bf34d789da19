"""`glossary [term]`: what a word means here; read from docs/glossary.md, so there is one list."""

from __future__ import annotations

from bot.context import Context
from bot.glossary import GLOSSARY, read
from bot.grammar import closest
from bot.request import Request
from bot.views.blocks import Message, context_line, escape, section
from core.errors import NotFoundError


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
