"""The house's own processes, started as in production: settings in the environment, `muster web|worker|bot`."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from core.errors import AppError
from sandbox.confluence import SPACE
from sandbox.jira import EMAIL, PROJECT, TOKEN, WEBHOOK_SECRET
from sandbox.slack.service import Credentials

ROOT = Path(__file__).parents[1]
START_S = 60.0
STOP_S = 12.0
LOOK_EVERY_S = 0.1
TAIL_LINES = 15


class HouseError(AppError):
    """The house did not start, or one of its processes ended; the message holds the end of its log."""


def settings(
    folder: Path, *, app: str, web_port: int, sandbox_url: str, smtp_port: int, credentials: Credentials,
    clock_file: Path,
) -> dict[str, str]:  # fmt: skip
    """Return the environment of all processes: SQLite in a folder, the sandbox in place of everything outside."""
    own = {
        "APP": app,
        "SECRET_KEY": secrets.token_hex(32),
        "HASH_KEY": secrets.token_hex(32),
        "DATABASE_URL": f"sqlite:///{folder}/control.db",
        "BLOB_DIR": str(folder / "blobs"),
        "PUBLIC_URL": f"http://127.0.0.1:{web_port}",
        "WEB_PORT": str(web_port),
        "SLACK_API_URL": f"{sandbox_url}/api/",
        "SLACK_BOT_TOKEN": credentials.bot_token,
        "SLACK_APP_TOKEN": credentials.app_token,
        "SLACK_SIGNING_SECRET": credentials.signing_secret,
        "SLACK_CHANNEL": "C0RELEASES",
        "SLACK_ADMINS": "U0TOM",
        "JIRA_URL": f"{sandbox_url}/jira",
        "JIRA_EMAIL": EMAIL,
        "JIRA_TOKEN": TOKEN,
        "JIRA_PROJECT": PROJECT,
        "JIRA_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "CONFLUENCE_URL": f"{sandbox_url}/wiki",
        "CONFLUENCE_SPACE": SPACE,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(smtp_port),
        "SMTP_SECURITY": "none",
        "MAIL_FROM": "Muster <muster@example.com>",
        "MAIL_TO": "pam@example.com",
        "CLOCK_FILE": str(clock_file),
        "TICK_S": "1",
        "RETRY_CAP_S": "3",
        "JOB_POLL_S": "0.1",
    }
    return {f"MUSTER_{name}": value for name, value in own.items()}


class House:
    """Web, worker and bot in one folder. `close` ends them all and waits for it."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = dict(env)
        self.web_url = env["MUSTER_PUBLIC_URL"]
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *command: str) -> str:
        """Run a `muster` command to its end and return what it printed. Raises: HouseError: it failed."""
        done = subprocess.run(
            [*_muster(), *command], env=self._environment(), cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise HouseError(f"`muster {' '.join(command)}` ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done.stdout.strip()

    def start(self, *names: str) -> None:
        for name in names:
            with self._log(name).open("ab") as log:
                # A group of its own: Ctrl-C in the terminal is for the demo, which then ends them in order.
                self._running[name] = subprocess.Popen(
                    [*_muster(), name],
                    env=self._environment(),
                    cwd=ROOT,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )

    def wait_ready(self) -> None:
        """Wait until the web process says that all is well. Raises: HouseError: it does not, or one has ended."""
        deadline = time.monotonic() + START_S
        told = "nothing answers"
        while time.monotonic() < deadline:
            self.check()
            try:
                reply = requests.get(f"{self.web_url}/readyz", timeout=5)
                if reply.ok:
                    return
                told = reply.text
            except requests.RequestException:
                pass
            time.sleep(LOOK_EVERY_S)
        raise HouseError(f"the house is not ready after {START_S:g} s: {told}\n{self.tails()}")

    def kill(self, name: str) -> None:
        """End a process as a power cut would; `start` brings it back."""
        process = self._running.pop(name)
        _signal(process, signal.SIGKILL)
        process.wait()

    def check(self) -> None:
        """Raises: HouseError: a process has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise HouseError(f"`muster {name}` ended with {process.returncode}:\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").splitlines() if self._log(name).exists() else []
        return "\n".join(f"  {name} | {line}" for line in lines[-TAIL_LINES:])

    def tails(self) -> str:
        return "\n".join(self.tail(name) for name in self._running)

    def close(self) -> None:
        for process in self._running.values():
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
            # Whatever a process left behind in its group goes with it.
            _signal(process, signal.SIGKILL)
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        return {**kept, **self.env}


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _muster() -> list[str]:
    installed = Path(sys.executable).with_name("muster")
    return [str(installed)] if installed.exists() else [sys.executable, "-c", "from bot.cli import main; main()"]


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
