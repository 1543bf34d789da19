"""`muster webhook …`: which systems are told what happens here, and what could not be told."""

from __future__ import annotations

import click

from bot import webhooks
from core import audit, standard_webhooks
from core.clock import clock_from
from core.db import Databases, open_databases, reading
from core.engine import attach, enqueue
from core.settings import Settings
from integrations.webhook import check_url

BY = "command line"


@click.group()
def webhook() -> None:
    """Tell other systems what happens here (Standard Webhooks)."""


@webhook.command()
@click.argument("url")
@click.option("--events", default="release.*,ticket.*", show_default=True, help="Kinds of the audit log, with *.")
def add(url: str, events: str) -> None:
    """Add an address; its secret is shown this once."""
    settings, databases = _open()
    patterns = [each.strip() for each in events.split(",") if each.strip()]
    check_url(url, private=settings.webhook_private)
    webhooks.check_events(patterns)
    secret, now = standard_webhooks.new_secret(), clock_from(settings.clock_file)()
    with databases.control.begin() as session:
        made = webhooks.add(session, url=url, events=patterns, secret=secret, key=settings.secret_key, by=BY, now=now)
        audit.record(session, who=BY, what="webhook.added", subject=made.id, now=now, facts={"events": patterns})
    click.echo(f"{made.id}  {secret}")


@webhook.command("list")
def list_all() -> None:
    """Show addresses, what they are told, and how many messages are in which state."""
    _, databases = _open()
    with reading(databases.control) as session:
        counts = webhooks.counts(session)
        for each in webhooks.list_webhooks(session):
            told = counts.get(each.id, {})
            numbers = ", ".join(f"{told.get(state, 0)} {state}" for state in ("delivered", "waiting", "dead"))
            state = f"  ended {each.ended_at:%Y-%m-%d}: its address said 410, gone" if each.ended_at else ""
            click.echo(f"{each.id}  {each.url}  {','.join(each.events)}  {numbers}{state}")


@webhook.command()
@click.argument("webhook_id")
def resume(webhook_id: str) -> None:
    """Tell an address that had said 410, gone, what happens from now on."""
    settings, databases = _open()
    now = clock_from(settings.clock_file)()
    with databases.control.begin() as session:
        webhooks.resume(session, webhook_id)
        audit.record(session, who=BY, what="webhook.resumed", subject=webhook_id, now=now)
    click.echo(f"{webhook_id} is told what happens from now on.")


@webhook.command()
@click.argument("webhook_id")
def remove(webhook_id: str) -> None:
    """Forget an address and what still waits for it."""
    settings, databases = _open()
    now = clock_from(settings.clock_file)()
    with databases.control.begin() as session:
        webhooks.remove(session, webhook_id)
        audit.record(session, who=BY, what="webhook.removed", subject=webhook_id, now=now)
    click.echo(f"{webhook_id} is removed.")


@webhook.command()
def dead() -> None:
    """Show the messages that were given up on, the newest first."""
    settings, databases = _open()
    now = clock_from(settings.clock_file)()
    with reading(databases.control) as session:
        shown = webhooks.dead_messages(session)
        for each in shown:
            told = f"{each.body['type']} {each.body['data']['subject']}"
            age = f"{(now - each.created_at).days} days old"
            click.echo(
                f"{each.id}  {each.webhook}  {told}  {age}  {each.attempts} attempts, the last: {each.last_error}"
            )
        more = webhooks.undelivered(session)["dead"] - len(shown)
    if more:
        click.echo(f"and {more} more")


@webhook.command("send-again")
@click.argument("name", metavar="MESSAGE_OR_WEBHOOK")
def send_again(name: str) -> None:
    """Try a message that was given up on, or all those of a webhook, for three more days."""
    settings, databases = _open()
    now = clock_from(settings.clock_file)()
    with databases.control.begin() as session:
        revived = webhooks.revive(session, name, now=now)
        for each in revived:
            key = f"{each.id}/{now:%Y%m%dT%H%M%S}"
            enqueue(session, "deliver_webhook", key=key, message=each.id, webhook=each.webhook)
    click.echo(f"{name} is in line again." if name == revived[0].id else f"{len(revived)} messages are in line again.")


@webhook.command()
@click.argument("name", metavar="MESSAGE_OR_WEBHOOK")
def dismiss(name: str) -> None:
    """Forget a message that was given up on, or all those of a webhook."""
    _, databases = _open()
    with databases.control.begin() as session:
        gone = webhooks.dismiss(session, name)
    click.echo(f"{gone} {'message is' if gone == 1 else 'messages are'} forgotten.")


def _open() -> tuple[Settings, Databases]:
    settings = Settings.from_env()
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    attach(databases, settings)
    return settings, databases
