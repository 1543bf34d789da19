"""One running world for all journeys: web, worker and bot as in production, the sandbox outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import requests

from sandbox import acting, scenario
from sandbox.acting import Stage
from sandbox.play import Player
from sandbox.running_world import RunningWorld, open_world
from sandbox.teller import Quiet

T = TypeVar("T")
MONDAY = datetime(2026, 11, 16, 10, 0, tzinfo=UTC)
PATIENCE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Living:
    """A world with a poll, a baseline and its candidate registered; Dana is operator, Mia approver."""

    world: RunningWorld
    stage: Stage

    def say(self, who: str, place: str, text: str, *, until: str) -> acting.Json:
        """Type a line and return the first new message that holds some words."""
        before = self._seen()
        acknowledged = self.stage.say(who, place, text)
        assert acknowledged["ok"], acknowledged
        return self.heard(until, place, before)

    def press(self, who: str, place: str, button: str, *, until: str) -> acting.Json:
        """Press the newest button of that name and return the first new message that holds some words."""
        before = self._seen()
        eventually(lambda: self.stage.click(who, place, button))
        return self.heard(until, place, before)

    def heard(self, words: str, place: str, before: frozenset[str] = frozenset()) -> acting.Json:
        def find() -> acting.Json | None:
            state = self.stage.state()
            where = acting.channel(state, place, "U0DANA")
            new = [each for each in state["messages"] if each["channel"] == where and each["ts"] not in before]
            return next((each for each in new if words in acting.words(each)), None)

        return eventually(find)

    def _seen(self) -> frozenset[str]:
        return frozenset(each["ts"] for each in self.stage.state()["messages"])

    def close(self, who: str, view: str) -> None:
        """Close a modal, which would stand in the way of whatever this person does next."""
        user = acting.person(self.stage.state(), who)
        body = {"user": user, "view_id": view}
        requests.post(f"{self.stage.url}/sandbox/close", json=body, timeout=30).raise_for_status()

    def advance(self, **by: float) -> datetime:
        return self.stage.advance(timedelta(**by))

    def phone(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._ask(self.world.place.public_key, method, path, **options)

    def pipeline(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._ask(self.world.place.secret_key, method, path, **options)

    def _ask(self, key: str, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
        return requests.request(method, self.world.place.web + path, headers=headers, timeout=30, **options)


def eventually(find: Callable[[], T | None]) -> T:
    """Look until there is something to see, a minute at most."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = find()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("waited a minute in vain")


@pytest.fixture(scope="package")
def living() -> Iterator[Living]:
    """Return the one world; it ends with the journeys, since its lines' pings draw from `random` as no property may."""
    with opened() as living:
        yield living


@contextmanager
def opened() -> Iterator[Living]:
    """Open a world that stands at Monday 10:00 until a test turns its clock."""
    with open_world(at=MONDAY) as world:
        world.world.set_rate(0)
        player = Player(scenario.load(scenario.FOLDER / "tour.yaml"), world.place, Quiet())
        player.furnish()
        assert player.failures == []
        yield Living(world=world, stage=Stage(world.place.sandbox))
