"""The demo: a whole world on this machine, played through by the tour or kept running for whoever wants to look."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from core.errors import AppError
from sandbox import scenario, tour
from sandbox.house import House, free_port, settings
from sandbox.play import Place, Player
from sandbox.server import Server
from sandbox.server import serve as serve_world
from sandbox.slack.service import Credentials
from sandbox.slack.state import BOT_USER, PEOPLE, TEAM
from sandbox.teller import Quiet, Terminal
from sandbox.world import World

APP = "demo"
CHANNEL = "C0RELEASES"
JIRA_HANG_S = 1.0
HOUR_EVERY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
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


def main(*, once: bool, serve: bool, port: int, json_path: Path | None) -> int:
    """Start the world and play the tour (`once`: headless, then end; `serve`: no tour, until stopped)."""
    with stoppable():
        try:
            if serve:
                return _serve(port, json_path)
            return _tour(port, json_path, once=once)
        except KeyboardInterrupt:
            print("\nStopped.")
            return 0 if serve or not once else 130
        except AppError as error:
            print(f"muster demo: {error.message}", file=sys.stderr)
            return 1


@contextmanager
def open_demo(*, at: datetime | None = None, port: int = 0, env: dict[str, str] | None = None) -> Iterator[Demo]:
    """Start a world whose clock begins `at` (now if None), and end all of it on the way out, whatever happens.

    On a failure the folder with databases and logs stays. Raises: HouseError: a process does not come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="muster-demo-"))
    web_port = free_port()
    credentials = Credentials()
    world = World(
        clock_file=folder / "clock.json",
        at=at,
        request_url=f"http://127.0.0.1:{web_port}/slack/events",
        credentials=credentials,
    )
    world.jira.hang_s = JIRA_HANG_S
    server = serve_world(world, port)
    told = settings(
        folder,
        app=APP,
        web_port=web_port,
        sandbox_url=server.url,
        credentials=credentials,
        clock_file=folder / "clock.json",
    )
    house = House(folder, {**told, **(env or {})})
    try:
        yield Demo(server=server, house=house, place=_start(house, server), folder=folder)
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


def _start(house: House, server: Server) -> Place:
    house.run("db", "upgrade")
    house.start("web", "worker", "bot")
    public, secret = (house.run("keys", "create", scope, "--name", "demo") for scope in ("public", "secret"))
    house.wait_ready()
    database = house.folder / "ingest.db"
    return Place(
        web=house.web_url,
        sandbox=server.url,
        public_key=public,
        secret_key=secret,
        app=APP,
        stored=lambda: count_answers(database),
    )


def count_answers(database: Path) -> int:
    """Count the stored answers by hand, without any of the house's own code."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        counted = connection.execute("SELECT count(*) FROM poll_events WHERE kind = 'answered'").fetchone()[0]
    connection.close()
    return int(counted)


def _tour(port: int, json_path: Path | None, *, once: bool) -> int:
    story = scenario.load(scenario.FOLDER / "tour.yaml")
    began = time.monotonic()
    print("Starting web, worker and bot as they run in production …", flush=True)
    with open_demo(at=story.start, port=port) as demo:
        print(
            f"\n  {demo.place.sandbox}\n\nOpen it in a browser. Ready after {time.monotonic() - began:.0f} s.\n",
            flush=True,
        )
        player = Player(story, demo.place, Terminal(demo.world.tell))
        failures = tour.play(player, demo, json_path)
        print(f"{time.monotonic() - began:.0f} s in all.", flush=True)
        if not once:
            print(f"\nThe world goes on: {demo.place.sandbox}   (Ctrl-C ends it)", flush=True)
            _go_on(demo, player)
    return 1 if failures else 0


def _go_on(demo: Demo, player: Player) -> None:
    """Let phones live on, an hour every few seconds, until somebody stops it."""
    while True:
        time.sleep(HOUR_EVERY_S)
        demo.house.check()
        player.live_an_hour()


def _serve(port: int, json_path: Path | None) -> int:
    story = scenario.load(scenario.FOLDER / "tour.yaml")
    with open_demo(port=port) as demo:
        player = Player(story, demo.place, Quiet())
        poll = player.furnish()
        facts = demo.facts(story.model, poll)
        if json_path is not None:
            write_json(json_path, facts)
        print(f"Serving {demo.place.sandbox} (service: {demo.place.web}). Ctrl-C ends it.", flush=True)
        while True:
            time.sleep(1.0)
            demo.house.check()


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
