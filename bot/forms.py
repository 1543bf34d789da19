"""The forms we open: which command asks for which, what is checked when it is sent, and the line it becomes. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot import grammar, poll_form, regression_form
from bot.permissions import ANY_ROLE, Role
from bot.views import forms as views
from bot.views.blocks import Block
from core.errors import InvalidInputError

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """`check` returns what is wrong by field; it sees neither database nor network, as Slack waits three seconds.

    Who has none of `roles` is not shown the form at all, lest they fill it in for nothing.
    """

    view: Callable[[Values, str], Block]
    check: Callable[[Values], dict[str, str]]
    line: Callable[[Values], str]
    roles: tuple[Role, ...]


POLL_CREATE = "poll_create"
MAKE_REGRESSION = "make_regression"

FORMS: Mapping[str, Form] = {
    POLL_CREATE: Form(
        view=views.poll_create, check=poll_form.check, line=lambda _values: "poll create", roles=("operator",)
    ),
    MAKE_REGRESSION: Form(
        view=views.make_regression, check=regression_form.check, line=regression_form.line, roles=ANY_ROLE
    ),
}


def wanted(line: str) -> tuple[str, dict[str, str]] | None:
    """Return the callback id of the form that this line asks for, and what the line fills in already."""
    try:
        command = grammar.parse(line)
    except InvalidInputError:
        return None
    if isinstance(command, grammar.Unknown):
        return None
    if "dry-run" in command.flags:
        return None
    if (command.noun, command.verb) == ("poll", "create") and not _is_whole(command):
        return POLL_CREATE, {"model": command.target or "", **command.options}
    if (command.noun, command.verb, command.target) == ("ticket", "open", None):
        return MAKE_REGRESSION, dict(command.options)
    return None


def _is_whole(command: grammar.Command) -> bool:
    """Tell whether a line that makes a poll says all that a form would ask for."""
    said = command.options
    return bool((command.target or said.get("model")) and said.get("name") and said.get("question"))


def open_view(callback_id: str, prefill: Values, *, channel: str, thread: str | None) -> Block:
    metadata = json.dumps({"channel": channel, "thread": thread})
    return FORMS[callback_id].view(prefill, metadata)


def place(metadata: str) -> tuple[str, str | None]:
    """Return the channel and thread that the form was opened from."""
    facts = json.loads(metadata or "{}")
    return facts.get("channel") or "", facts.get("thread")
