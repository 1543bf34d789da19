"""PostgreSQL for tests: a migrated template in the server of MUSTER_TEST_POSTGRES_URL, copied for each test.

`python -m tests.postgres [pytest's arguments]` starts a server of its own on a free port of this machine, runs pytest
against it and throws it away. It installs Debian's package where it may and the server is not there.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

ROOT = Path(__file__).parents[1]
VARIABLE = "MUSTER_TEST_POSTGRES_URL"
START_S = 30.0
_numbers = itertools.count(1)


def server_url() -> sa.URL | None:
    """Return where the server is whose user may create databases; None: tests use SQLite."""
    url = os.environ.get(VARIABLE)
    return sa.make_url(url) if url else None


@contextmanager
def new_database(server: sa.URL, *, template: str = "template0") -> Iterator[str]:
    """Make a database like `template` (which nobody may be connected to); yield its URL and drop it in the end."""
    name = f"muster_test_{os.getpid()}_{next(_numbers)}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def new_server(programs: Path) -> Iterator[str]:
    """Start an empty server on a free port of this machine; yield its URL, stop it and delete all in the end."""
    folder = Path(tempfile.mkdtemp(prefix="muster-postgres-"))
    owner = _owner()
    if owner is not None:
        os.chown(folder, pwd.getpwnam(owner).pw_uid, pwd.getpwnam(owner).pw_gid)
    data, port = folder / "data", _free_port()
    made: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "muster",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    ]
    # What is tested is killed processes, not power cuts: nothing here must outlive the machine.
    started: list[str | Path] = [
        programs / "postgres",
        "-D",
        data,
        "-p",
        str(port),
        "-h",
        "127.0.0.1",
        "-k",
        folder,
        "-F",
    ]
    try:
        subprocess.run(made, user=owner, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with (folder / "log").open("ab") as log:
            server = subprocess.Popen(started, user=owner, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_until_listening(server, port, folder / "log")
            yield f"postgresql+psycopg://muster@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # ends what is connected; SIGTERM would wait for it
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's server programs, the newest of Debian's if none is on the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return folders[-1].parent if folders else None


def install() -> None:
    """Install the server where that is possible: as root, on a system that has apt."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)


def main(arguments: list[str]) -> int:
    if find_programs() is None:
        install()
    programs = find_programs()
    if programs is None:
        print("There is no PostgreSQL server here (initdb, postgres) and it cannot be installed.", file=sys.stderr)
        return 1
    with new_server(programs) as url:
        command = [sys.executable, "-m", "pytest", *arguments]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, VARIABLE: url}, check=False).returncode


def _owner() -> str | None:
    """Return whom the server runs as: it refuses to be root's."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_listening(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        engine = sa.create_engine(f"postgresql+psycopg://muster@127.0.0.1:{port}/postgres", poolclass=sa.NullPool)
        try:
            engine.connect().close()
            return
        except sa.exc.OperationalError:
            time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL does not start: {log.read_text()[-2000:]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
