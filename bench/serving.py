"""What the benches of the collector share: databases of their own, servers under granian, a folding process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from core.db import Control, Databases, Ingest, open_databases
from core.keys import create_key
from core.settings import Settings
from feedback import polls, store

ROOT = Path(__file__).parent.parent
POLL = {"id": "p", "name": "P", "questions": [{"id": "q", "type": "csat", "question": "Right?"}]}
SCHEMA = "muster_bench"
SECRETS = {"MUSTER_SECRET_KEY": "x" * 32, "MUSTER_HASH_KEY": "y" * 32, "MUSTER_RATE_LIMIT_PER_S": "1000000"}


def urls_for(folder: Path, postgres: str | None) -> dict[str, str]:
    """Return where the databases are: SQLite files in `folder`, or an empty schema on a PostgreSQL."""
    if postgres is None:
        names = {"MUSTER_DATABASE_URL": "control", "MUSTER_INGEST_URL": "ingest"}
        names |= {"BENCH_ORM_URL": "orm", "BENCH_WAL_URL": "wal"}
        return {name: f"sqlite:///{folder}/{file}.db" for name, file in names.items()}
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
    engine.dispose()
    url = f"{postgres}?options=-csearch_path%3D{SCHEMA}"
    return {"MUSTER_DATABASE_URL": url, "MUSTER_INGEST_URL": url, "BENCH_ORM_URL": url}


def settings_for(urls: Mapping[str, str]) -> Settings:
    return Settings.from_env({**SECRETS, **urls})


def prepare(urls: Mapping[str, str]) -> tuple[Databases, str]:
    """Open the databases; make tables, a running poll and a key, which is the second value."""
    databases = open_databases(urls["MUSTER_DATABASE_URL"], urls["MUSTER_INGEST_URL"])
    Control.metadata.create_all(databases.control_engine)
    Ingest.metadata.create_all(databases.ingest_engine)
    now = datetime.now(UTC)
    with databases.control.begin() as session:
        stored = store.save_poll(session, polls.from_json(POLL), app="bench", model="kws", by="bench", now=now)
        store.set_poll_status(session, stored.ref, "running", now=now)
        key = create_key(session, app="bench", scope="public", name="bench", now=now)[1]
    return databases, key


def start(name: str, urls: Mapping[str, str], *, port: int, threads: int) -> subprocess.Popen[bytes]:
    """Start one of bench/ingest_servers.py under granian, in a process group of its own. Ours needs no `threads`."""
    command = [sys.executable, "-m", "granian", "--factory", "--workers", "1"]
    command += ["--port", str(port), "--no-ws", "--log-level", "critical"]
    command += (
        ["--interface", "rsgi", "--loop", "uvloop"]
        if name == "ours"
        else ["--interface", "wsgi", "--blocking-threads", str(threads)]
    )
    process = _popen([*command, f"bench.ingest_servers:{name}"], urls)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def start_folding(urls: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process that folds all the time, as the worker does."""
    return _popen([sys.executable, "-m", "bench.folding"], urls)


@contextmanager
def server(name: str, urls: Mapping[str, str], *, threads: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_port()
    process = start(name, urls, port=port, threads=threads)
    try:
        yield port, process
    finally:
        stop(process)


@contextmanager
def jobs(urls: Mapping[str, str]) -> Iterator[None]:
    """Have a process work as jobs do."""
    environment = {**urls, "OPENBLAS_NUM_THREADS": "1"}
    process = _popen([sys.executable, "-m", "bench.jobs"], environment, stdout=subprocess.PIPE)
    assert process.stdout
    try:
        process.stdout.readline()  # it has begun
        yield
    finally:
        kill(process)


@contextmanager
def neighbors(count: int) -> Iterator[None]:
    """Have so many processes compute for nobody, as other work on the same machine does."""
    processes = [_popen([sys.executable, "-c", "while True: pass"], {}) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            kill(process)


@contextmanager
def folding(urls: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = start_folding(urls)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all it started, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Return the processor time that a process and its children have used."""
    ticks = sum(_ticks(pid) for pid in [process.pid, *_children(process.pid)])
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _popen(command: list[str], urls: Mapping[str, str], *, stdout: int | None = None) -> subprocess.Popen[bytes]:
    env = {**os.environ, **SECRETS, **urls}
    return subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True, stdout=stdout)


def _children(pid: int) -> list[int]:
    own = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [each for child in own for each in (child, *_children(child))]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
