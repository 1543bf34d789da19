"""A process whose port is taken says so in a line and does not start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from bot import socket as bot
from bot import worker
from bot.ports import require_free
from core.errors import InvalidInputError
from core.settings import Settings
from tests.feedback.test_kill import a_port, is_listening, until

WEB = [sys.executable, "-c", "from bot.cli import main; main()", "web"]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another listens on, ready to share it."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        yield other.getsockname()[1]


def on_port(port: int, settings: Settings) -> dict[str, str]:
    keys = {"MUSTER_SECRET_KEY": "s" * 32, "MUSTER_HASH_KEY": "h" * 32}
    return {**os.environ, **keys, "MUSTER_WEB_PORT": str(port), "MUSTER_DATABASE_URL": settings.database_url}


def test_the_port_is_free_again_after_kill_9_of_the_web_process(settings: Settings) -> None:
    port = a_port()
    with subprocess.Popen(WEB, env=on_port(port, settings), start_new_session=True) as process:
        try:
            until(lambda: is_listening(port), seconds=60)
            process.kill()
            until(lambda: not is_listening(port))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_second_web_process_on_a_port_is_refused_in_a_line(settings: Settings, taken: int) -> None:
    ended = subprocess.run(WEB, env=on_port(taken, settings), capture_output=True, text=True, timeout=60)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith(f"muster: MUSTER_WEB_PORT: cannot listen on port {taken} of 127.0.0.1 (Address alr")


@pytest.mark.parametrize("run", [worker.run, bot.run], ids=["worker", "bot"])
def test_a_taken_port_for_metrics_is_told_before_anything_starts(
    settings: Settings, run: Callable[[Settings], None], taken: int
) -> None:
    with pytest.raises(InvalidInputError, match=f"MUSTER_METRICS_PORT: cannot listen on port {taken}"):
        run(replace(settings, metrics_port=taken, slack_app_token="xapp-test"))


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0), ("no such host", 0)])
def test_where_nobody_can_listen_is_told_too(host: str, port: int) -> None:
    with pytest.raises(InvalidInputError, match=f"MUSTER_WEB_PORT: cannot listen on port {port} of {host}"):
        require_free(host, port, setting="MUSTER_WEB_PORT")


def test_a_port_is_free_as_soon_as_its_listener_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            other.accept()[0].close()  # whoever closes first is remembered by the system for a minute

    require_free("127.0.0.1", port, setting="MUSTER_WEB_PORT")
