"""Once a day: forget what is due, and try again the tickets and pages that somebody may have mended the way for."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot import store, tickets, webhooks, wiki_pages
from bot.context import Context
from core import engine
from core.clock import system_clock
from core.db import reading
from core.engine import enqueue
from feedback import store as feedback
from optimize.shelf import Shelf, shelf_folder
from releases.uploads import Uploads

log = logging.getLogger(__name__)

DELIVERIES_KEPT = timedelta(days=30)
DEAD_MESSAGES_KEPT = timedelta(days=90)
# The last attempt at a message is over a day after the three for which it is tried.
MESSAGES_LOST_AFTER = timedelta(days=5)
ISSUES_LOOKED_AT = timedelta(days=90)
DRAFTS_KEPT = timedelta(days=7)
SHELF_KEPT = timedelta(days=30)


def run(ctx: Context) -> None:
    """Forget answers and telemetry past their retention, old deliveries and old jobs. A job; twice is harmless."""
    now, settings = ctx.clock(), ctx.settings
    with reading(ctx.databases.control) as session:
        retention = feedback.retention_by_poll(session)
    with ctx.databases.ingest.begin() as session:
        feedback.forget_shown(session, before=now - timedelta(days=settings.retention_days))
    rows = feedback.forget(
        ctx.databases.ingest, now=now, retention_days=settings.retention_days, retention_by_poll=retention
    )
    with ctx.databases.control.begin() as session:
        deliveries = store.forget_deliveries(session, now - DELIVERIES_KEPT)
        told = webhooks.forget(session, "delivered", before=now - DELIVERIES_KEPT)
        told += webhooks.forget(session, "dead", before=now - DEAD_MESSAGES_KEPT)
        lost = webhooks.give_up_on_lost(session, made_before=now - MESSAGES_LOST_AFTER, now=now)
        woken = tickets.wake_stuck(session, now)
        pages = wiki_pages.wake_stuck(session, now)
        for key in tickets.to_look_at(session, since=now - ISSUES_LOOKED_AT):
            enqueue(session, "look_at_issue", key=f"{key}/{now:%Y-%m-%d}", issue=key)
    with reading(ctx.databases.control) as session:
        jobs = engine.forget_finished(session, now)
    if lost:
        log.error("webhook.lost", extra={"messages": lost})
    _forget_files(ctx)
    facts = {"webhooks": told, "rows": rows, "deliveries": deliveries, "jobs": jobs, "tickets": woken, "pages": pages}
    log.info("housekeeping.done", extra=facts)


def _forget_files(ctx: Context) -> None:
    """Forget uploads that nobody goes on with, and what optimizations found out long ago. Files keep real time."""
    now, folder = system_clock(), ctx.settings.blob_dir
    drafts = Uploads(folder).forget(now - DRAFTS_KEPT)
    facts = Shelf(shelf_folder(folder)).forget(now - SHELF_KEPT)
    log.info("files.forgotten", extra={"drafts": drafts, "facts": facts})
