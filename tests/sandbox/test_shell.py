"""The shell acts as people in the same world, and tells mistakes instead of ending."""

from __future__ import annotations

import io

import pytest
from slack_sdk import WebClient

from sandbox.acting import Stage
from sandbox.server import Server
from sandbox.shell import Shell
from sandbox.world import World
from tests.sandbox.kit import button, section


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def lived() -> list[int]:
    return []


@pytest.fixture
def shell(server: Server, out: io.StringIO, lived: list[int], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr("sandbox.shell.QUIET_S", 0.05)
    return Shell(Stage(server.url), out, live=lived.append)


def test_somebody_else_speaks_elsewhere(shell: Shell) -> None:
    assert shell.obey(":as mia")
    assert shell.obey(":in #app-feedback")

    assert shell.prompt == "Mia in #app-feedback> "


def test_a_message_of_the_app_is_shown_once_with_its_buttons(shell: Shell, out: io.StringIO, client: WebClient) -> None:
    blocks = [section("R1 is proposed"), {"type": "actions", "elements": [button()]}]
    client.chat_postMessage(channel="C0RELEASES", text="R1", blocks=blocks)
    client.chat_postEphemeral(channel="C0RELEASES", user="U0MIA", text="for Mia only")

    shell.listen()
    shell.listen()

    assert out.getvalue().count("R1 is proposed") == 1
    assert "[Go]" in out.getvalue()
    assert "for Mia only" not in out.getvalue()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param(":as Zoe", "nobody here is called Zoe", id="an unknown person"),
        pytest.param(":in #nowhere", "there is no #nowhere", id="an unknown channel"),
        pytest.param(":press Approve", "sees no button 'Approve'", id="a missing button"),
        pytest.param(":switch jira_dwn on", "that did not work", id="an unknown switch"),
        pytest.param(":live long", "that did not work", id="hours that are no number"),
        pytest.param(":what", "Type a command", id="an unknown word"),
        pytest.param("release list", "failed", id="an app that does not answer"),
    ],
)
def test_a_mistake_is_told_and_the_shell_goes_on(shell: Shell, out: io.StringIO, line: str, told: str) -> None:
    assert shell.obey(line)
    assert told in out.getvalue()


def test_switches_are_turned_and_hours_lived(shell: Shell, world: World, lived: list[int]) -> None:
    shell.obey(":switch jira_down on")
    shell.obey(":switch jira_lag_s 2.5")
    shell.obey(":live 6")

    assert world.faults.on("jira_down")
    assert world.faults.amount("jira_lag_s") == 2.5
    assert lived == [6]


def test_quit_ends_it(shell: Shell) -> None:
    assert not shell.obey(":quit")
