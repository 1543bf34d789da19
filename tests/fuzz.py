"""Sends made-up requests to a whole running world for as long as it is told, and says what was answered wrongly.

`python -m tests.fuzz [--minutes 10] [--seed 1]`: web, worker and bot as in production, both kinds of keys, every
operation of the OpenAPI document, each round with other requests. Exit status 1 if any answer was wrong or a process
ended; each finding comes with a curl command that shows it. What was sent depends on the seed alone.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import requests
from hypothesis.errors import HypothesisDeprecationWarning

from core.errors import AppError
from sandbox import scenario
from sandbox.play import Player
from sandbox.running_world import RunningWorld, open_world, stoppable
from sandbox.teller import Quiet
from tests.fuzzing import Target, Tried, rounds

EXAMPLES: Final = 60
BEGIN: Final = datetime(2026, 11, 16, 10, 0, tzinfo=UTC)
KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "model": ("kws",), "name": ("kws",), "key": ("kws",), "version": ("1.4.0", "1.3.2"), "poll": ("poll_heard",),
    "id": ("poll_heard",), "ref": ("R1", "J1"), "since": ("7d",), "by": ("chipset", "os,chipset"),
    "source": ("posthog",),
    "where": ('chipset="Helio G35"',), "to": ("5,50,100",), "bake": ("1h",), "guard": ("crash_rate<+0.2pt",),
    "recipe": ("auto", "int8"), "budget": ("size<-50%",),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1, help="What the first round is made up from; the next count on.")
    options = parser.parse_args()
    warnings.simplefilter("ignore", HypothesisDeprecationWarning)  # of schemathesis' own strategies
    with stoppable(), open_world(at=BEGIN) as world:
        known = furnish(world)
        found = _fuzz(world, known, time.monotonic() + options.minutes * 60, options.seed)
        found += [f"the world ended: {line}" for line in _ended(world)]
    for finding in found:
        print(f"\n{finding}")
    print(f"\n{len(found)} finding{'' if len(found) == 1 else 's'}")
    return 1 if found else 0


def furnish(world: RunningWorld) -> Mapping[str, tuple[str, ...]]:
    """Put a poll, a model, a release and what phones say of them there; return what their names are."""
    player = Player(scenario.load(scenario.FOLDER / "tour.yaml"), world.place, Quiet())
    player.furnish()
    player.fleet.close()
    headers = {"Authorization": f"Bearer {world.place.secret_key}"}
    plan = {"model": "kws", "version": "1.4.0", "guard": "crash_rate<+0.2pt"}
    requests.post(f"{world.place.web}/v1/releases", json=plan, headers=headers, timeout=30).raise_for_status()
    models: dict[str, Any] = requests.get(f"{world.place.web}/v1/models/kws", headers=headers, timeout=30).json()
    return {**KNOWN, "sha256": tuple(each["sha256"] for each in models["artifacts"]), "app": (world.place.app,)}


def _fuzz(world: RunningWorld, known: Mapping[str, tuple[str, ...]], until: float, seed: int) -> list[str]:
    keys = {"pk": world.place.public_key, "sk": world.place.secret_key}
    found: dict[tuple[str, str, str], str] = {}
    for number, kind, tried in _rounds(world, known, keys, seed):
        print(f"{datetime.now(UTC):%H:%M:%S}  seed {number}  {kind}  {tried.requests:>4}  {_line(tried)}", flush=True)
        if tried.trouble:
            found.setdefault(
                (tried.operation, tried.mode, kind), f"{kind}, seed {number}, {_line(tried)}\n{tried.trouble}"
            )
        if time.monotonic() >= until or _ended(world):
            break
    return list(found.values())


def _rounds(
    world: RunningWorld, known: Mapping[str, tuple[str, ...]], keys: Mapping[str, str], seed: int
) -> Iterator[tuple[int, str, Tried]]:
    while True:
        for kind, key in keys.items():
            target = Target(url=world.place.web, key=key, known=known)
            for tried in rounds(target, examples=EXAMPLES, number=seed):
                yield seed, kind, tried
        seed += 1


def _line(tried: Tried) -> str:
    return f"{tried.operation} ({tried.mode}): {'WRONG' if tried.trouble else 'right'}"


def _ended(world: RunningWorld) -> list[str]:
    try:
        world.house.check()
    except AppError as error:
        return [error.message]
    return []


if __name__ == "__main__":
    sys.exit(main())
