"""The tour: a scenario played in a world of its own, told as a story, and its facts gathered from what is running."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox import facts
from sandbox.play import Player
from sandbox.running_world import RunningWorld, open_world, write_json
from sandbox.script import Scenario
from sandbox.teller import Terminal

Json = dict[str, Any]
# Phones of a scenario live days in seconds; no key of a real app is as busy.
HURRY = {"MUSTER_RATE_LIMIT_PER_S": "100000"}


def play(player: Player, demo: RunningWorld, json_path: Path | None) -> tuple[str, ...]:
    """Play a scenario to its end, write its facts, and tell what did not hold; return that."""
    player.prepare()
    failures = player.play()
    demo.house.check()
    found = facts.gather(player, demo.place.stored())
    if json_path is not None:
        write_json(json_path, found | {"failures": list(failures)})
    _summarize(found, failures)
    return failures


def play_alone(scenario: Scenario, json_path: Path | None, env: Mapping[str, str] | None = None) -> int:
    """Play a scenario in a world started for it; the exit status is 0 only if every expectation held.

    `env` changes settings of the house, such as its database.
    """
    with open_world(at=scenario.start, env={**HURRY, **(env or {})}) as demo:
        player = Player(scenario, demo.place, Terminal(demo.world.tell))
        return 1 if play(player, demo, json_path) else 0


def _summarize(found: Json, failures: tuple[str, ...]) -> None:
    answers, messages = found["answers"], found["messages"]
    print(
        f"\nAnswers: {answers['sent']} sent, {answers['accepted']} accepted, {answers['duplicate']} recognized as sent "
        f"again, {answers['stored']} stored."
    )
    if found["optimize"]:
        print(f"Optimized by {found['optimize']['recipe']}: {found['optimize']['summary']}")
    if found["release"]:
        print("Release: " + " → ".join(each["state"] for each in found["release"]["states"]))
    print("Tickets: " + (", ".join(f"{each['key']} ({each['fingerprint']})" for each in found["tickets"]) or "none"))
    if found["digest"]:
        print(f"Digest: {found['digest']['week']}, posted {found['digest']['posts']}×: {found['digest']['url']}")
        page, mail = found["digest"]["confluence"], found["digest"]["mail"]
        print(f"        in Confluence: {page['url']}; by mail to {', '.join(mail['to']) or 'nobody'}")
    print(f"Slack: {messages['posted']} posted, {messages['updated']} updated, {messages['rejected']} rejected.")
    if failures:
        print(f"\n{len(failures)} expectation{'s' if len(failures) > 1 else ''} did not hold:")
        for failure in failures:
            print(f"  ✗ {failure}")
    else:
        print("Every expectation held.", flush=True)
