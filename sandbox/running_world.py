"""A running world: the sandbox on a port, the house's processes against it, and everything ended on the way out."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa

from sandbox.house import House, HouseError, free_port, settings
from sandbox.jira import WEBHOOK_SECRET
from sandbox.jira_webhook import JiraWebhook
from sandbox.play import Place
from sandbox.server import Server, serve
from sandbox.slack.service import Credentials
from sandbox.slack.state import BOT_USER, PEOPLE, TEAM
from sandbox.world import World

APP = "demo"
CHANNEL = "C0RELEASES"
JIRA_HANG_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningWorld:
    """A running world: the outside (`server.world`), the house, and where they are."""

    server: Server
    house: House
    place: Place
    folder: Path

    @property
    def world(self) -> World:
        return self.server.world

    def facts(self, model: str, poll: str | None) -> dict[str, Any]:
        """Return what an outside client needs to be pointed at this world."""
        credentials = self.world.slack.credentials
        return {
            "urls": {
                "web": self.place.web,
                "sandbox": self.place.sandbox,
                "slack_api": f"{self.place.sandbox}/api/",
                "slack_events": f"{self.place.web}/slack/events",
                "jira": f"{self.place.sandbox}/jira",
                "confluence": f"{self.place.sandbox}/wiki",
                "smtp": f"smtp://127.0.0.1:{self.server.smtp_port}",
            },
            "keys": {"public": self.place.public_key, "secret": self.place.secret_key},
            "slack": {
                "signing_secret": credentials.signing_secret,
                "bot_token": credentials.bot_token,
                "app_token": credentials.app_token,
                "team": TEAM,
                "bot_user": BOT_USER,
                "channel": CHANNEL,
                "users": {person.name: person.id for person in PEOPLE},
            },
            "app": self.place.app,
            "model": model,
            "flag": model,
            "poll": poll,
        }


@contextmanager
def open_world(
    *, at: datetime | None = None, port: int = 0, env: Mapping[str, str] | None = None
) -> Iterator[RunningWorld]:
    """Start a world whose clock begins `at` (now if None), and end all of it on the way out, whatever happens.

    On a failure the folder with databases and logs stays. Raises: HouseError: a process does not come up.
    """
    _require_free(port)
    folder = Path(tempfile.mkdtemp(prefix="muster-demo-"))
    credentials = Credentials()
    world = World(clock_file=folder / "clock.json", at=at, credentials=credentials)
    world.jira.hang_s = JIRA_HANG_S
    server = serve(world, port)
    # Only now, or the sandbox might be given the very port that was found for the web process.
    web_port = free_port()
    world.slack.request_url = f"http://127.0.0.1:{web_port}/slack/events"
    world.slack.unfurl_domain = f"127.0.0.1:{web_port}"
    world.jira.hook = JiraWebhook(f"http://127.0.0.1:{web_port}/jira/webhook", WEBHOOK_SECRET, world.clock)
    told = settings(
        folder,
        app=APP,
        web_port=web_port,
        sandbox_url=server.url,
        smtp_port=server.smtp_port,
        credentials=credentials,
        clock_file=folder / "clock.json",
    )
    house = House(folder, {**told, **(env or {})})
    try:
        yield RunningWorld(server=server, house=house, place=_start(house, server), folder=folder)
        house.close()
    except BaseException as error:
        house.close()
        if isinstance(error, Exception):
            print(f"{house.tails()}\nDatabases and logs are kept in {folder}", file=sys.stderr)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        server.close()
    shutil.rmtree(folder, ignore_errors=True)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise HouseError(f"port {port} cannot be used: {error.strerror}; --port takes another one") from error


def _start(house: House, server: Server) -> Place:
    house.run("db", "upgrade")
    house.start("web", "worker", "bot")
    public, secret = (house.run("keys", "create", scope, "--name", "demo") for scope in ("public", "secret"))
    house.wait_ready()
    return Place(
        web=house.web_url,
        sandbox=server.url,
        public_key=public,
        secret_key=secret,
        app=APP,
        stored=lambda: count_answers(house.env["MUSTER_DATABASE_URL"]),
    )


def count_answers(database_url: str) -> int:
    """Count the stored answers by hand, without any of the house's own code."""
    if database_url.startswith("sqlite:///"):
        ingest = Path(database_url.removeprefix("sqlite:///")).with_name("ingest.db")
        database_url = f"sqlite:///file:{ingest}?mode=ro&uri=true"
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM poll_events WHERE kind = 'answered'")) or 0)


def write_json(path: Path, facts: dict[str, Any]) -> None:
    """Write the facts in one step: whoever waits for the file never reads half of it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    fresh.replace(path)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that every way out ends the processes."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
