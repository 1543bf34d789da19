"""The same listeners by Socket Mode."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import socket
from bot.context import open_context
from bot.tables import DeliveryRow
from core.errors import InvalidInputError
from core.settings import Settings
from migrations import run as migrations
from sandbox.server import serve
from sandbox.slack.service import Credentials
from sandbox.world import World
from tests.builders import T0, some_settings


@pytest.fixture
def world() -> Iterator[World]:
    world = World(at=T0, rate=0.0, mode="socket", retry_after_s=(0.2, 0.5, 1.0))
    server = serve(world)
    yield world
    server.close()


@pytest.fixture
def listening(world: World, tmp_path: Path) -> Iterator[Settings]:
    secrets = Credentials()
    settings = some_settings(
        tmp_path,
        slack_bot_token=secrets.bot_token,
        slack_app_token=secrets.app_token,
        slack_api_url=f"{world.slack.base_url}/api/",
    )
    migrations.upgrade(settings)
    stop = threading.Event()
    thread = threading.Thread(target=socket.run, args=(settings,), kwargs={"stop": stop}, daemon=True)
    thread.start()
    yield settings
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def heard(settings: Settings) -> list[tuple[str, str]]:
    ctx = open_context(settings)
    with ctx.databases.control.begin() as session:
        rows = session.execute(sa.select(DeliveryRow.kind, DeliveryRow.line).order_by(DeliveryRow.id)).all()
    ctx.databases.dispose()
    return [(row[0], row[1]) for row in rows]


def test_commands_and_mentions_come_through_the_line_we_opened(world: World, listening: Settings) -> None:
    assert world.slack.sockets.wait_for(1)

    assert world.people.say("U0PAM", "C0FEEDBACK", "/muster status").ok
    assert world.people.say("U0PAM", "C0FEEDBACK", "@Muster whoami").ok
    world.slack.courier.settle()

    assert heard(listening) == [("command", "status"), ("mention", "whoami")]


def test_a_line_that_breaks_is_opened_again(world: World, listening: Settings) -> None:
    assert world.slack.sockets.wait_for(1)
    world.slack.sockets.refresh(grace_s=0.0)

    assert world.slack.sockets.wait_for(1, opened=2, timeout_s=30)
    assert world.people.say("U0PAM", "C0FEEDBACK", "/muster status").ok
    assert heard(listening) == [("command", "status")]


def test_socket_mode_says_which_token_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="MUSTER_SLACK_APP_TOKEN"):
        socket.run(some_settings(tmp_path))
