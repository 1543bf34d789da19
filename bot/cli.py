"""The `muster` command: the processes, the database, keys, models and polls, the demo."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

import click
from sqlalchemy.exc import DBAPIError

from bot import (
    cli_export,
    cli_import,
    cli_job,
    cli_localise,
    cli_release,
    cli_remote,
    cli_upload,
    cli_webhook,
    database_trouble,
    exit_status,
    ports,
)
from core import keys as api_keys
from core import log
from core.clock import clock_from
from core.db import Databases, open_databases, reading
from core.errors import AppError, NotFoundError
from core.settings import Settings
from optimize import cli as optimize_cli

logger = logging.getLogger(__name__)

# A web process that was killed leaves one that serves the requests under way to their end.
PORT_WITHIN_S = 5.0


class Muster(click.Group):
    """Turns errors into words and an exit status: one line for each problem, no stack trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AppError as error:
            _end(error)
        except DBAPIError as error:
            logger.debug("database.trouble", exc_info=True)
            told = database_trouble.of_command(error)
            if told is None:
                raise
            _end(told)


def _end(error: AppError) -> NoReturn:
    lines = [str(problem) for problem in error.problems] or [error.message]
    for line in lines:
        click.echo(f"muster: {line}", err=True)
    sys.exit(exit_status.status_of(error))


@click.group(cls=Muster, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="muster")
def main() -> None:
    """Feedback, staged releases and optimization for models inside mobile apps."""


def _settings() -> Settings:
    settings = Settings.from_env()
    log.configure(settings.log_level)
    return settings


def _databases(settings: Settings) -> Databases:
    return open_databases(settings.database_url, settings.ingest_database_url)


@main.command()
def web() -> None:
    """Serve phones, Slack's requests and digest pages."""
    settings = _settings()
    ports.require_free(settings.web_host, settings.web_port, setting="MUSTER_WEB_PORT", within_s=PORT_WITHIN_S)
    granian = [sys.executable, "-m", "granian", "--interface", "rsgi", "--loop", "uvloop", "--factory", "wsgi:front"]
    granian += ["--host", settings.web_host, "--port", str(settings.web_port), "--no-ws"]
    granian += ["--workers", "1", "--backlog", "2048", "--log-level", "warning"]
    # A worker that is told to stop while it still starts never hears it, and would serve on.
    granian += ["--workers-kill-timeout", "20"]
    os.execv(sys.executable, granian)  # noqa: S606 (a fixed list, no shell)


@main.command()
def worker() -> None:
    """Run jobs, ticks and schedules."""
    from bot import worker as process

    process.run(_settings())


@main.command()
def bot() -> None:
    """Hear Slack by Socket Mode (for a workspace that cannot reach the web process)."""
    from bot import socket

    socket.run(_settings())


@main.group()
def db() -> None:
    """The databases."""


@db.command()
def upgrade() -> None:
    """Create the tables, or bring them up to date."""
    from migrations import run

    run.upgrade(_settings())
    click.echo("The databases are up to date.")


@main.group()
def keys() -> None:
    """API keys of the app (pk_…) and of your pipeline (sk_…)."""


@keys.command()
@click.argument("scope", type=click.Choice(["public", "secret"]))
@click.option("--name", default="", help="What it is for.")
@click.option("--app", default=None, help="Name of the app; MUSTER_APP when left out.")
def create(scope: str, name: str, app: str | None) -> None:
    """Make a key; it is shown this once."""
    settings = _settings()
    now = clock_from(settings.clock_file)()
    with _databases(settings).control.begin() as session:
        kind: api_keys.Scope = "public" if scope == "public" else "secret"
        _, secret = api_keys.create_key(session, app=app or settings.app, scope=kind, name=name, now=now)
    click.echo(secret)


@keys.command("list")
def list_keys() -> None:
    """Show all keys, without their secrets."""
    with reading(_databases(_settings()).control) as session:
        for key in api_keys.list_keys(session):
            state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "valid"
            click.echo(f"{key.id}  {key.scope:6}  {key.app}  {state}  {key.name}")


@keys.command()
def rotate() -> None:
    """Renew what is stored after a key was put before the others in MUSTER_HASH_KEY or MUSTER_SEAL_KEY.

    Everything may run meanwhile; a second time is harmless.
    """
    from feedback import store

    settings = _settings()
    sessions = _databases(settings).ingest
    installs = store.renew_pseudonyms(sessions, settings.hash_key, tell=lambda n: click.echo(f"{n} installs …"))
    texts = store.reseal_answers(sessions, settings.sealing)
    click.echo(f"{installs} pseudonyms are renewed, {texts} texts are sealed anew.")


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke a key for good; all processes follow within five seconds."""
    settings = _settings()
    with _databases(settings).control.begin() as session:
        api_keys.revoke_key(session, key_id, now=clock_from(settings.clock_file)())
    click.echo(f"{key_id} is revoked.")


@keys.command()
@click.argument("key_id")
@click.option("--off", is_flag=True, help="Let them no more.")
def push(key_id: str, off: bool) -> None:
    """Let clients with this key keep a stream open on which they hear of changed offers."""
    from releases import push as streams

    settings = _settings()
    with _databases(settings).control.begin() as session:
        if key_id not in {key.id for key in api_keys.list_keys(session)}:
            raise NotFoundError(f"There is no key {key_id}; `muster keys list` shows them.")
        if off:
            streams.forbid_push(session, key_id)
        else:
            streams.allow_push(session, key_id, now=clock_from(settings.clock_file)())
    click.echo(f"Clients with {key_id} {'poll again' if off else 'may keep a stream open'}.")


@main.command()
@click.option("--slack", "live", is_flag=True, help="Ask Slack and Jira over the network as well.")
def doctor(live: bool) -> None:
    """Say what is missing or broken, and what to do about it."""
    from bot import doctor as checks
    from bot.context import open_context

    settings = _settings()
    logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)  # the report says it
    report = checks.examine(open_context(settings), live=live)
    for finding in report:
        click.echo(f"{'ok  ' if finding.passed else 'FAIL'}  {finding.sentence}")
    sys.exit(0 if all(finding.passed for finding in report) else 1)


@main.command()
@click.option("--once", is_flag=True, help="Play the tour without a browser and exit.")
@click.option("--serve", is_flag=True, help="Start the world without the tour and keep it running.")
@click.option("--port", default=0, help="Port of the page; 0 takes a free one.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the facts here.")
def demo(once: bool, serve: bool, port: int, json_path: Path | None) -> None:
    """Try everything with a pretended Slack, Jira and fleet of phones."""
    from sandbox import demo as world

    sys.exit(world.main(once=once, serve=serve, port=port, json_path=json_path))


@main.command()
def shell() -> None:
    """The demo's world in a terminal."""
    from sandbox import shell as world

    sys.exit(world.main())


@main.group()
def sandbox() -> None:
    """The pretended world outside."""


@sandbox.command("run")
@click.argument("paths", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the facts here.")
def run_scenario(paths: tuple[Path, ...], json_path: Path | None) -> None:
    """Play scenario files, each in a world of its own; the exit status tells whether every expectation held."""
    from sandbox import scenario

    if json_path is not None and len(paths) > 1:
        raise click.UsageError("--json holds the facts of one scenario; name one file.")
    sys.exit(max(scenario.main(path, json_path) for path in paths))


cli_remote.model.add_command(optimize_cli.check)
cli_remote.model.add_command(optimize_cli.optimize_local)
cli_remote.model.add_command(cli_upload.register)
cli_remote.model.add_command(cli_job.optimize)
for command in (
    cli_remote.model,
    cli_remote.poll,
    cli_release.release,
    cli_job.job,
    cli_localise.localise,
    cli_import.group,
    cli_webhook.webhook,
    cli_export.export,
):
    main.add_command(command)
