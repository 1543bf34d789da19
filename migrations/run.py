"""Bring both databases and the job engine up to date, one process at a time."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from core import engine, locks
from core.db import Databases, open_databases
from core.settings import Settings

HERE = Path(__file__).parent
BRANCHES = ("control", "ingest")
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
        with locks.hold(settings.database_url, "upgrade", again=_a_little_later):
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


def _a_little_later() -> bool:
    time.sleep(LOOK_EVERY_S)
    return True


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for path in write_revisions(sys.argv[1], Path(scratch)):
            print(path)
