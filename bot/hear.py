"""The job that answers what Slack delivered.

It may run again after a crash: the answer is kept before it is sent, so only sending repeats, never the command.
"""

from __future__ import annotations

import logging
from typing import Any

from bot import home, speech, store, unfurls
from bot.answer import Person, handle
from bot.context import Context
from bot.store import Delivery
from bot.views.blocks import Message
from core.db import reading
from core.errors import UpstreamError

log = logging.getLogger(__name__)


def hear(ctx: Context, delivery: str) -> None:
    """Answer the delivery. Raises: UpstreamError: Slack could not be reached; try again."""
    with reading(ctx.databases.control) as session:
        found = store.load_delivery(session, delivery)
    if found.answered_at is not None:
        return
    person = Person(found.heard.person, found.heard.name)
    if found.heard.kind == "home":
        home.show(ctx, person)
    elif found.heard.kind == "links":
        unfurls.show(ctx, found.heard)
    else:
        _answer(ctx, person, found)
    with ctx.databases.control.begin() as session:
        store.mark_answered(session, delivery, ctx.clock())


def _answer(ctx: Context, person: Person, delivery: Delivery) -> None:
    said = delivery.heard
    message = _kept(delivery)
    if message is None:
        message = handle(
            ctx,
            person,
            said.line,
            channel=said.channel,
            thread=said.thread or said.message,
            delivery=delivery.id,
            form=said.form,
        )
        with ctx.databases.control.begin() as session:
            store.save_reply(session, delivery.id, _keep(message))
    try:
        speech.answer(ctx.slack, said, message)
    except UpstreamError as error:
        if not error.permanent:
            raise
        log.error("answer.not_said", extra={"delivery": delivery.id, "kind": said.kind, "reason": str(error)})


def _keep(message: Message) -> dict[str, Any]:
    return {"text": message.text, "blocks": list(message.blocks), "in_channel": message.in_channel}


def _kept(delivery: Delivery) -> Message | None:
    if delivery.reply is None:
        return None
    kept = delivery.reply
    return Message(text=kept["text"], blocks=tuple(kept["blocks"]), in_channel=kept["in_channel"])
