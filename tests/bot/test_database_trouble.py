"""A database that is not as it should be is told in a line: which setting, and what to do."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.exc import IntegrityError

from bot import database_trouble
from bot.cli import main
from core.settings import Settings

NOBODY = "postgresql+psycopg://me:my-password@127.0.0.1:9/muster"


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """Commands send all logs to a stream that ends with them."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


KEYS = {"MUSTER_SECRET_KEY": "a secret key for tests only", "MUSTER_HASH_KEY": "a hash key for tests only"}


def muster(command: str, database_url: str) -> Result:
    return CliRunner().invoke(main, command.split(), env=KEYS | {"MUSTER_DATABASE_URL": database_url})


@pytest.mark.parametrize("command", ["keys list", "keys create secret", "webhook list", "worker"])
def test_before_db_upgrade_a_line_says_to_run_it(command: str, empty_settings: Settings) -> None:
    """In a process of its own, with which its connections end."""
    env = os.environ | KEYS | {"MUSTER_DATABASE_URL": empty_settings.database_url}
    typed = [sys.executable, "-c", "from bot.cli import main; main()", *command.split()]

    done = subprocess.run(typed, env=env, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "muster: MUSTER_DATABASE_URL: the tables are missing or old there; run `muster db upgrade`\n"
    )


@pytest.mark.parametrize("command", ["keys list", "webhook list", "db upgrade", "worker"])
def test_a_server_that_is_away_is_4_and_its_password_is_not_told(command: str) -> None:
    done = muster(command, NOBODY)

    assert done.exit_code == 4
    assert done.output.startswith("muster: MUSTER_DATABASE_URL: the database cannot be asked: ")
    assert done.output.count("\n") == 1
    assert "my-password" not in done.output


@pytest.mark.parametrize("command", ["keys list", "db upgrade"])
def test_a_file_that_is_no_database_is_a_mistake(command: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database at all " * 99)

    done = muster(command, f"sqlite:///{tmp_path}/notes.txt")

    assert done.exit_code == 2
    assert "muster: MUSTER_DATABASE_URL: names no database that can be used (file is not a database)" in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize("command", ["keys list", "db upgrade"])
@pytest.mark.parametrize("place", ["file/control.db", "file/below/control.db"])
def test_a_place_where_nothing_can_be_written_is_a_mistake(command: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = muster(command, f"sqlite:///{tmp_path / place}")

    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert done.output.startswith("muster: MUSTER_DATABASE_URL: ")


def test_a_mistake_of_ours_keeps_its_trace() -> None:
    assert database_trouble.of_command(IntegrityError("INSERT", {}, ValueError("UNIQUE failed"))) is None
