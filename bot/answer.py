"""Understanding and answering: one line in, one message out, in Slack, the terminal and tests alike."""

from __future__ import annotations

import importlib
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from bot import grammar
from bot.context import Context
from bot.request import Person, Request, from_command
from bot.views import help as help_view
from bot.views.blocks import Message, context_line, escape
from bot.words import NOUNS
from core.errors import AppError

__all__ = ["COMMANDS", "Person", "handle"]

log = logging.getLogger(__name__)

Run = Callable[[Context, Request], Message]

# noun → the module whose `run(ctx, request)` answers; imported when first asked for.
COMMANDS: Mapping[str, str] = {noun.name: f"bot.commands.{noun.name}" for noun in NOUNS}


def handle(
    ctx: Context,
    person: Person,
    text: str,
    *,
    channel: str = "",
    thread: str | None = None,
    delivery: str | None = None,
    form: Mapping[str, str] | None = None,
) -> Message:
    """Answer one line; whatever goes wrong is answered too, in words, with an id that is also in the log."""
    try:
        understood = grammar.parse(text)
        if isinstance(understood, grammar.Unknown):
            return help_view.did_you_mean(understood, ctx.settings.slack_command)
        request = from_command(understood, person, channel=channel, thread=thread, delivery=delivery, form=form)
        return _dressed(_runner(request.noun)(ctx, request), understood, request)
    except AppError as error:
        error_id = _error_id()
        log.info("command.refused", extra={"error": error_id, "status": error.status, "reason": type(error).__name__})
        return help_view.refused(error, error_id)
    except Exception:
        error_id = _error_id()
        log.exception("command.broken", extra={"error": error_id})
        return help_view.broken(error_id)


def _runner(noun: str) -> Run:
    return cast(Run, importlib.import_module(COMMANDS[noun]).run)


def _dressed(message: Message, command: grammar.Command, request: Request) -> Message:
    """Add who shared it and which of our words stand for the ones typed."""
    lines = [f"_{escape(note)}_" for note in command.notes]
    if request.is_shared and not command.is_change:
        lines.append(f"Shared by <@{request.person.id}>")
        message = replace(message, in_channel=True)
    if not lines:
        return message
    if message.blocks:
        return replace(message, blocks=(*message.blocks, context_line(*lines)))
    return replace(message, text="\n".join([message.text, *lines]))


def _error_id() -> str:
    return f"E-{secrets.token_hex(3)}"
