"""What we say when asked what we understand, and when we do not understand."""

from __future__ import annotations

import re

from bot.grammar import Unknown
from bot.views import buttons
from bot.views.blocks import Message, actions, context_line, escape, section
from bot.words import NOUNS, Noun
from core.errors import AppError, ConflictError, NotAllowedError, NotFoundError, UpstreamError

_MENTION = re.compile(r"&lt;([@#][A-Z0-9]+)&gt;")
PROBLEMS = 12


def did_you_mean(unknown: Unknown, command: str) -> Message:
    """An unknown word, answered with the whole line that was probably meant and a button that runs it."""
    if unknown.line is None:
        text = f"No word *{escape(unknown.word)}*. `{command} help` lists what I understand."
        return Message(text=text, blocks=(section(text), actions(buttons.run_button("Help", "help", "primary"))))
    text = f"No word *{escape(unknown.word)}*. Did you mean `{command} {escape(unknown.line)}`?"
    return Message(text=text, blocks=(section(text), actions(buttons.run_button("Run it", unknown.line, "primary"))))


def refused(error: AppError, error_id: str) -> Message:
    """A person's mistake or a state that forbids it: what is wrong, all of it, and what to do."""
    problems = [f"• {_readable(str(problem))}" for problem in error.problems[:PROBLEMS]]
    if len(error.problems) > PROBLEMS:
        problems.append(f"• and {len(error.problems) - PROBLEMS} more")
    if problems:
        words = "That does not work yet:" if len(error.problems) > 1 else "That does not work yet."
        text = "\n".join([words, *problems])
    else:
        text = _readable(error.message)
    text = f"{text}\n{_advice(error)}".rstrip()
    return Message(text=text, blocks=(section(text), context_line(f"error {error_id}")))


def broken(error_id: str) -> Message:
    text = (
        "Something broke on my side, and nothing was changed halfway. Try it once more; if it breaks again, tell"
        f" whoever runs me the error id *{error_id}*, which is in my log."
    )
    return Message(text=text, blocks=(section(text), context_line(f"error {error_id}")))


def overview(command: str) -> Message:
    lines = [f"`{command} {noun.name}` – {noun.summary}" for noun in NOUNS]
    text = f"What I understand: `{command} <noun> [verb] [target] [key=value | --flag]…`"
    tail = (
        "Reading answers only you; changing answers in the channel, and `--dry-run` shows what a change would do. "
        f"`{command} help release` tells more about one word."
    )
    return Message(text=text, blocks=(section(text), section("\n".join(lines)), context_line(tail)))


def topic(noun: Noun, command: str, examples: tuple[str, ...]) -> Message:
    text = f"*{noun.name}* – {noun.summary}"
    reads = [f"`{verb}`" for verb in noun.verbs if verb not in noun.changes]
    changes = [f"`{verb}`" for verb in noun.verbs if verb in noun.changes]
    verbs = "\n".join(
        f"{what}: {', '.join(listed)}" for what, listed in (("Reads", reads), ("Changes", changes)) if listed
    )
    shown = "\n".join(f"`{command} {escape(example)}`" for example in examples)
    others = ", ".join(f"{theirs} → {ours}" for theirs, ours in noun.synonyms.items())
    blocks = [section(text), section(verbs)]
    if shown:
        blocks.append(section(shown))
    if others:
        blocks.append(context_line(f"I also understand: {others}"))
    return Message(text=text, blocks=tuple(blocks))


def _advice(error: AppError) -> str:
    match error:
        case NotAllowedError():
            return "_Nothing was changed._"
        case NotFoundError():
            is_told = any(sign in error.message for sign in ("`", "?", "here are"))
            return (
                ""
                if is_told or not error.message.startswith("There is no ")
                else "_Check the name; `list` shows what there is._"
            )
        case ConflictError():  # its own words tell whether somebody was faster
            return ""
        case UpstreamError():
            return "_The other system did not do its part. Try again in a minute._"
        case _:
            return "_Correct it and send it again._"


def _readable(text: str) -> str:
    """Escaped, but a mention of one person or channel still reads as their name."""
    return _MENTION.sub(r"<\1>", escape(text))
