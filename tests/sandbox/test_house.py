"""The house's processes: a command that fails, and one that ends too early, are told with what they last said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.house import House, HouseError, free_port, settings
from sandbox.running_world import open_world
from sandbox.slack.service import Credentials


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return settings(
        tmp_path,
        app="demo",
        web_port=free_port(),
        smtp_port=25,
        sandbox_url="http://127.0.0.1:9",
        credentials=Credentials(),
        clock_file=tmp_path / "clock.json",
    )


@pytest.fixture
def house(tmp_path: Path, env: dict[str, str]) -> Iterator[House]:
    house = House(tmp_path, env)
    yield house
    house.close()


def test_a_command_that_fails_says_why(house: House) -> None:
    house.env["MUSTER_TICK_S"] = "often"

    with pytest.raises(HouseError, match="MUSTER_TICK_S: must be a number"):
        house.run("db", "upgrade")


def test_a_process_that_ends_is_noticed_with_the_end_of_its_log(house: House) -> None:
    house.env["MUSTER_SECRET_KEY"] = "short"
    house.start("worker")

    with pytest.raises(HouseError, match=r"(?s)`muster worker` ended with 2:.*MUSTER_SECRET_KEY"):
        house.wait_ready()


def test_settings_of_whoever_starts_the_demo_do_not_leak_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "MUSTER_JIRA_URL", "https://jira.example.com")
    monkeypatch.setitem(os.environ, "MUSTER_NONSENSE", "1")

    environment = house._environment()

    assert environment["MUSTER_JIRA_URL"] == "http://127.0.0.1:9/jira"
    assert "MUSTER_NONSENSE" not in environment
    assert environment["PATH"] == os.environ["PATH"]


def test_a_port_that_is_taken_is_said_before_anything_starts() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        with pytest.raises(HouseError, match="--port takes another"), open_world(port=taken.getsockname()[1]):
            pass
