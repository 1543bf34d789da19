"""A pretended workspace with an app of the real Bolt that listens to it, and a phone with its collector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient

from sandbox.phone import Phone
from sandbox.server import Server, serve
from sandbox.slack.service import Credentials
from sandbox.world import World
from tests.sandbox.apps import BoltApp, a_world
from tests.sandbox.collector import Collector
from tests.sandbox.phones_made import Watch, a_phone


@pytest.fixture
def world() -> World:
    return a_world()


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    server = serve(world)
    yield server
    server.close()


@pytest.fixture
def client(server: Server) -> WebClient:
    return WebClient(token=Credentials().bot_token, base_url=f"{server.url}/api/", retry_handlers=[])


@pytest.fixture
def app(world: World, client: WebClient) -> Iterator[BoltApp]:
    app = BoltApp(client)
    world.slack.request_url = app.url
    yield app
    app.close()


@pytest.fixture
def collector() -> Collector:
    return Collector()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def phone(collector: Collector, watch: Watch) -> Phone:
    return a_phone(collector, watch)
