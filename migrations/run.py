"""Bring both databases and the job engine up to date, one process at a time."""

from __future__ import annotations

import fcntl
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from core import engine
from core.db import Databases, open_databases
from core.errors import InvalidInputError, Problem
from core.settings import Settings

HERE = Path(__file__).parent
BRANCHES = ("control", "ingest")
LOCK_NUMBER = 0x6D757374
LOOK_EVERY_S = 0.2


def version_table(branch: str) -> str:
    return f"alembic_version_{branch}"


def config_for(branch: str, connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("version_locations", str(HERE / branch / "versions"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(branch=branch, connection=connection)
    return config


def upgrade(settings: Settings) -> None:
    """Upgrade everything; a second process that upgrades at the same time waits for the first."""
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    try:
        with _alone(settings):
            for branch, database in zip(BRANCHES, _engines(databases), strict=True):
                with database.begin() as connection:
                    command.upgrade(config_for(branch, connection), "head")
            engine.migrate(settings)
    finally:
        databases.dispose()


def write_revisions(message: str, folder: Path) -> list[Path]:
    """Compare the tables with the histories, in scratch databases in `folder`; write a revision where they differ."""
    databases = open_databases(f"sqlite:///{folder}/control.db", f"sqlite:///{folder}/ingest.db")
    written: list[Path] = []
    for branch, database in zip(BRANCHES, _engines(databases), strict=True):
        with database.begin() as connection:
            command.upgrade(config_for(branch, connection), "head")
        with database.begin() as connection:
            versions = HERE / branch / "versions"
            number = f"{len(list(versions.glob('0*.py'))) + 1:04d}"
            made = command.revision(
                config_for(branch, connection), message, autogenerate=True, rev_id=number, version_path=str(versions)
            )
        written += [Path(each.path) for each in (made if isinstance(made, list) else [made]) if each]
    databases.dispose()
    return written


def is_current(databases: Databases) -> bool:
    """Tell whether both databases stand at the newest revision."""
    for branch, database in zip(BRANCHES, _engines(databases), strict=True):
        head = ScriptDirectory.from_config(config_for(branch)).get_current_head()
        with database.connect().execution_options(read_only=True) as connection:
            options = {"version_table": version_table(branch)}
            if MigrationContext.configure(connection, opts=options).get_current_revision() != head:
                return False
    return True


def _engines(databases: Databases) -> tuple[sa.Engine, sa.Engine]:
    return databases.control_engine, databases.ingest_engine


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    if settings.database_url.startswith("sqlite:///"):
        with _lock_file(settings) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    # No transaction is left open, not even one that waits for the lock: the job engine builds its indexes
    # CONCURRENTLY, which waits for every open transaction of the database.
    holder = sa.create_engine(settings.database_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with holder.connect() as connection:
        while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(LOCK_NUMBER))):
            time.sleep(LOOK_EVERY_S)
        yield  # the lock goes with the connection


def _lock_file(settings: Settings) -> IO[str]:
    lock = Path(settings.database_url.removeprefix("sqlite:///") + ".upgrade")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return lock.open("w")
    except OSError as error:
        told = f"nothing can be written beside that file ({error.strerror}: {error.filename})"
        raise InvalidInputError(Problem("MUSTER_DATABASE_URL", told)) from error


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for path in write_revisions(sys.argv[1], Path(scratch)):
            print(path)
