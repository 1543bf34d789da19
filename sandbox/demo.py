"""The demo: a whole world on this machine, played through by the tour or kept running for whoever wants to look."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from core.errors import AppError
from sandbox import scenario, tour
from sandbox.house import HouseError
from sandbox.play import Player
from sandbox.running_world import RunningWorld, open_world, stoppable, write_json
from sandbox.teller import Quiet, Terminal

HOUR_EVERY_S = 10.0


def main(*, once: bool, serve: bool, port: int, json_path: Path | None) -> int:
    """Start the world and play the tour (`once`: headless, then end; `serve`: no tour, until stopped)."""
    if json_path is not None and not json_path.parent.is_dir():
        print(f"muster demo: there is no folder {json_path.parent}", file=sys.stderr)
        return 1
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


def _tour(port: int, json_path: Path | None, *, once: bool) -> int:
    story = scenario.load(scenario.FOLDER / "tour.yaml")
    began = time.monotonic()
    print("Starting web, worker and bot as they run in production …", flush=True)
    with open_world(at=story.start, port=port, env=tour.HURRY) as demo:
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


def _go_on(demo: RunningWorld, player: Player) -> None:
    """Let phones live on, an hour every few seconds, until somebody stops it."""
    while True:
        time.sleep(HOUR_EVERY_S)
        demo.house.check()
        player.live_an_hour()


def _serve(port: int, json_path: Path | None) -> int:
    story = scenario.load(scenario.FOLDER / "tour.yaml")
    with open_world(port=port) as demo:
        player = Player(story, demo.place, Quiet())
        poll = player.furnish()
        if player.failures:
            raise HouseError("; ".join(player.failures))
        facts = demo.facts(story.model, poll)
        if json_path is not None:
            write_json(json_path, facts)
        print(f"Serving {demo.place.sandbox} (service: {demo.place.web}). Ctrl-C ends it.", flush=True)
        while True:
            time.sleep(1.0)
            demo.house.check()
