"""What a command is asked: by whom, what, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.grammar import Command, closest
from core.errors import InvalidInputError, Problem

COMMON_FLAGS = ("dry-run", "share")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in Slack; `name` may be their id where Slack sends no name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`words` follow the target. `form` holds what a modal was filled with.

    `delivery` names what we were sent: a job that runs twice sees the same one, so what it creates can be created once.
    """

    person: Person
    noun: str
    verb: str
    target: str | None = None
    words: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    channel: str = ""
    thread: str | None = None
    delivery: str | None = None
    form: Mapping[str, str] | None = None

    @property
    def is_dry_run(self) -> bool:
        return "dry-run" in self.flags

    @property
    def is_shared(self) -> bool:
        return "share" in self.flags

    def needed_target(self, example: str) -> str:
        """Return the target, or raise with how to say it: `needed_target("/muster release show R12")`."""
        if self.target is None:
            raise InvalidInputError(Problem("", f"something is missing at the end; for example: `{example}`"))
        return self.target

    def only(self, *options: str, flags: tuple[str, ...] = (), words: int = 0) -> None:
        """Refuse what the command does not know, all of it at once, with a guess at what was meant.

        Call it first in each command; `words` is how many words may follow the target."""
        problems = [_unknown(key, "option", options, "{}=") for key in self.options if key not in options]
        known = (*flags, *COMMON_FLAGS)
        problems += [_unknown(flag, "flag", known, "--{}") for flag in sorted(self.flags) if flag not in known]
        problems += [
            Problem(word, "is one word too many; put values with spaces in quotes") for word in self.words[words:]
        ]
        if problems:
            raise InvalidInputError(*problems)


def from_command(
    command: Command, person: Person, *, channel: str, thread: str | None, delivery: str | None,
    form: Mapping[str, str] | None,
) -> Request:  # fmt: skip
    return Request(
        person=person,
        noun=command.noun,
        verb=command.verb,
        target=command.target,
        words=command.words,
        options=command.options,
        flags=command.flags,
        channel=channel,
        thread=thread,
        delivery=delivery,
        form=form,
    )


def _unknown(word: str, kind: str, known: tuple[str, ...], spelling: str) -> Problem:
    near = closest(word, known)
    if near is not None:
        return Problem(spelling.format(word), f"is no {kind} here; did you mean {spelling.format(near)}?")
    listed = ", ".join(spelling.format(one) for one in known) or "none"
    return Problem(spelling.format(word), f"is no {kind} here; there is: {listed}")
