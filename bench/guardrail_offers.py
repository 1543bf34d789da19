"""Offers over HTTP with 50 live slots against a Flask app that answers a constant, under granian, in turn."""

from __future__ import annotations

import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, jsonify, request

import migrations.run
from bench.load import run
from core.clock import system_clock
from core.db import open_databases
from core.http_errors import register_errors
from core.keys import KeyRing, create_key
from core.settings import Settings
from releases import artifact_store, store, web
from releases.artifacts import Artifact
from releases.plan import parse_plan
from releases.rollout import Advance, Approve, Submit, apply

ROOT = Path(__file__).parent.parent
SLOTS = 50
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NAMES = ("one offer", "all 50 offers", "constant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Requests a second, and CPU of the server for each, over several turns."""

    per_s: float
    cpu_us: float


def ours() -> Flask:
    """The releases' routes as wsgi.py composes them."""
    settings = Settings.from_env()
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    app = Flask("muster")
    register_errors(app)
    app.register_blueprint(web.blueprint(databases, settings, system_clock, KeyRing(databases, system_clock)))
    return app


def constant() -> Flask:
    """Flask that reads the body's JSON and answers a constant."""
    app = Flask("constant")

    @app.post("/ofrep/v1/evaluate/flags/<flag>")
    def _constant(flag: str) -> Any:
        request.get_json()
        return jsonify(key=flag, value={}, variant="a", reason="STATIC", metadata={})

    return app


def rates(*, seconds: float, rounds: int, connections: int = 16) -> dict[str, Rate]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        env, key = _prepare(Path(folder))
        servers = {name: stack.enter_context(_server(name, env)) for name in ("ours", "constant")}
        found: dict[str, list[Rate]] = {name: [] for name in NAMES}
        for turn in range(rounds + 1):
            for name in random.sample(NAMES, k=len(NAMES)):
                port, pid = servers["constant" if name == "constant" else "ours"]
                before = _cpu_s(pid)
                outcome = run(("127.0.0.1", port), _requests(name, key), seconds=seconds, connections=connections)
                assert not outcome.others, "only answers of 200 count"
                if turn:  # the first turn warms up
                    cpu = (_cpu_s(pid) - before) / len(outcome.tags) * 1e6
                    found[name].append(Rate(per_s=outcome.per_second, cpu_us=cpu))
    return {name: _median(turns) for name, turns in found.items()}


def _median(turns: list[Rate]) -> Rate:
    rates_per_s, cpu_us = [turn.per_s for turn in turns], [turn.cpu_us for turn in turns]
    return Rate(per_s=statistics.median(rates_per_s), cpu_us=statistics.median(cpu_us))


def _requests(name: str, key: str) -> Callable[[], tuple[str, bytes]]:
    flag = "" if name == "all 50 offers" else "/model-7"

    def make() -> tuple[str, bytes]:
        body = (f'{{"context": {{"targetingKey": "install-{random.randrange(100_000)}", "os.name": "android", '
                '"os.version": "14", "ram_gb": 6, "soc": "Tensor G2", "app.version": "5.4"}}').encode()  # fmt: skip
        head = (f"POST /ofrep/v1/evaluate/flags{flag} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n").encode()  # fmt: skip
        return "", head + body

    return make


def _prepare(folder: Path) -> tuple[dict[str, str], str]:
    """Make databases with 50 models, each with a live release at 25 % for some devices; return settings and a key."""
    env = {
        "MUSTER_DATABASE_URL": f"sqlite:///{folder}/control.db", "MUSTER_SECRET_KEY": "x" * 32,
        "MUSTER_HASH_KEY": "y" * 32, "MUSTER_RATE_LIMIT_PER_S": "1000000", "MUSTER_BLOB_DIR": f"{folder}/blobs",
        "MUSTER_APP": "bench",
    }  # fmt: skip
    settings = Settings.from_env(env)
    migrations.run.upgrade(settings)
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    plan = parse_plan(to="25,100", bake="24h", where="platform=android and ram_gb>=2", guard="crash_rate<+0.2pt")
    with databases.control.begin() as session:
        _, key = create_key(session, app="bench", scope="public", name="bench", now=NOW)
        for n in range(SLOTS):
            model = f"model-{n}"
            file = Artifact(sha256=f"{n:063x}a", model=model, version="1.0.0", is_baseline=True, size_bytes=1000)
            newer = replace(file, sha256=f"{n:063x}b", version="1.1.0", is_baseline=False, min_ram_gb=2.0)
            for each in (file, newer):
                artifact_store.register_artifact(session, each, app="bench", by="bench", now=NOW)
            _, rollout = store.create_release(session, app="bench", model=model, version="1.1.0", plan=plan, by="bench",
                                              reason=None, now=NOW)  # fmt: skip
            for act in (Submit(), Approve(), Advance(stage=0, reason="bench")):
                after = apply(rollout, act, NOW)
                store.save_rollout(session, rollout, after)
                rollout = after
    databases.dispose()
    return env, key


@contextmanager
def _server(name: str, env: dict[str, str]) -> Iterator[tuple[int, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "--workers", "1"]
    command += ["--port", str(port), "--blocking-threads", "4", "--no-ws", "--log-level", "error"]
    command.append(f"bench.guardrail_offers:{name}")
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env})
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, f"{name} does not listen"
                time.sleep(0.1)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _cpu_s(pid: int) -> float:
    """Return the CPU that a server and its workers have used."""
    total = 0.0
    for each in [pid, *_children(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return total


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found
