"""What a new definition must keep to besides its shape; a stored one may be older than these rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from core.errors import Problem
from core.values import MODEL_NAME, NO_MODEL_NAME
from feedback.poll_definition import Poll

# What the server says of a poll, and nobody else.
NOT_WRITTEN: Final[Mapping[str, str]] = {
    "status": "does not belong in a file; `muster poll push --start` starts a poll, `/muster poll stop` stops it",
    "version": "does not belong in a file; the server counts versions",
}
BRANCH_WORDS: Final = ("else", "negative", "neutral", "positive")


def written(node: Mapping[str, object]) -> tuple[Mapping[str, object], list[Problem]]:
    """Return the definition without what only the server says, and a problem for each such field."""
    left = {name: value for name, value in node.items() if name not in NOT_WRITTEN}
    return left, [Problem(name, NOT_WRITTEN[name]) for name in node if name in NOT_WRITTEN]


def newly_broken(poll: Poll, node: Mapping[str, object], before: Poll | None) -> Iterator[Problem]:
    """Yield what is wrong with a poll that was not so in the one before it, which may be older than these rules."""
    known = set() if before is None else set(broken(before, {"model": before.model}))
    for problem in broken(poll, node):
        if problem not in known or (before and problem.path == "model" and poll.model != before.model):
            yield problem


def broken(poll: Poll, node: Mapping[str, object]) -> Iterator[Problem]:
    """Yield what is wrong with a new poll, written as `node`, though it has the shape of one."""
    if node.get("model") is None:
        yield Problem("model", "is missing: say which model the poll is about")
    elif poll.model is not None and not MODEL_NAME.fullmatch(poll.model):
        yield Problem("model", NO_MODEL_NAME)
    for index, question in enumerate(poll.questions):
        for place, choice in enumerate(question.choices):
            if choice.id in BRANCH_WORDS:
                told = f"must not be {choice.id!r}, which branching has a meaning of its own for"
                yield Problem(f"questions[{index}].choices[{place}].id", told)
        for reason in question.branching if question.privacy else ():
            if reason != "else":
                told = "gives the answer away that privacy hides: which question follows would say it; leave one out"
                yield Problem(f"questions[{index}].branching.{reason}", told)
