"""What happens here is told to other systems: signed, tried again for three days, then kept as given up on."""

from __future__ import annotations

import json
import logging
import random
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from bot import webhooks
from bot.context import Context
from bot.webhooks import Webhook
from core import audit, standard_webhooks
from core.db import reading
from core.engine import enqueue
from core.errors import UpstreamError
from integrations.webhook import GoneError, WebhookClient

log = logging.getLogger(__name__)

TRIED_FOR: Final = timedelta(days=3)
# As Standard Webhooks suggests; the attempt after the last of them is past TRIED_FOR.
WAITS_S: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)


def spread(ctx: Context) -> None:
    """Put a message in line for each thing that happened since the last look. Twice is harmless."""
    now = ctx.clock()
    with reading(ctx.databases.control) as session:
        newest = audit.last_position(session)
        if all(each.told_to >= newest for each in _told(session)):
            return
    with ctx.databases.control.begin() as session:
        for webhook in _told(session):
            for message in webhooks.put_messages(session, webhook, now=now):
                enqueue(session, "deliver_webhook", key=message, message=message, webhook=webhook.id)


def deliver_webhook(ctx: Context, message: str, webhook: str = "") -> None:  # noqa: ARG001
    """Deliver one message. A job; run twice, the other side sees the same `webhook-id` twice.

    `webhook` is whose share of the queue it takes (see core.engine); jobs of versions before name none.

    Raises: UpstreamError: not just now; the engine tries again, ever more rarely.
    """
    now = ctx.clock()
    with reading(ctx.databases.control) as session:
        found = webhooks.find_message(session, message)
        target = webhooks.find(session, found.webhook) if found else None
        if found is None or target is None or found.state != "waiting":
            return
        secret = webhooks.secret_of(session, target.id, key=ctx.settings.secret_key)
    body = json.dumps(found.body, separators=(",", ":")).encode()
    try:
        if target.ended_at is not None:
            raise UpstreamError("webhook", webhooks.ENDED, permanent=True)
        if secret is None:
            raise UpstreamError("webhook", "its secret was sealed with another key; add it anew", permanent=True)
        headers = standard_webhooks.sign(secret, message_id=found.id, at=now, body=body)
        WebhookClient(private=ctx.settings.webhook_private).post(target.url, body, headers)
    except GoneError as error:
        _ended(ctx, found, error, now)
        return
    except UpstreamError as error:
        _failed(ctx, found, error, now)
        return
    with ctx.databases.control.begin() as session:
        webhooks.note(session, found.id, state="delivered", error=None, now=now)


def _told(session: Session) -> list[Webhook]:
    return [each for each in webhooks.list_webhooks(session) if each.ended_at is None]


def wait_after(attempts: int, message: str) -> float:
    """Return the seconds until the next attempt: up to a fifth more for some, so that not all come back at once."""
    planned_s = WAITS_S[min(attempts, len(WAITS_S)) - 1]
    return planned_s * random.Random(f"{message}/{attempts}").uniform(1.0, 1.2)


def _ended(ctx: Context, message: webhooks.WebhookMessage, error: GoneError, now: datetime) -> None:
    with ctx.databases.control.begin() as session:
        webhooks.note(session, message.id, state="dead", error=error.message, now=now)
        is_new = webhooks.end(session, message.webhook, now=now)
        if is_new:
            audit.record(session, who="muster", what="webhook.ended", subject=message.webhook, now=now)
    if is_new:
        log.error("webhook.ended", extra={"webhook": message.webhook, "delivery": message.id, "reason": error.message})


def _failed(ctx: Context, message: webhooks.WebhookMessage, error: UpstreamError, now: datetime) -> None:
    is_over = error.permanent or now - message.created_at >= TRIED_FOR
    with ctx.databases.control.begin() as session:
        webhooks.note(session, message.id, state="dead" if is_over else "waiting", error=error.message, now=now)
    if not is_over:
        error.retry_after_s = max(wait_after(message.attempts + 1, message.id), error.retry_after_s or 0.0)
        raise error
    log.error("webhook.given_up", extra={"webhook": message.webhook, "delivery": message.id, "reason": error.message})
