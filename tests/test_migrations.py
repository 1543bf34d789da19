"""The migrations make exactly the tables that the code knows."""

from __future__ import annotations

import threading
from pathlib import Path

import migrations.run
from core.db import Databases, open_databases
from core.settings import Settings


def test_nothing_is_left_to_migrate(tmp_path: Path) -> None:
    assert migrations.run.write_revisions("must not be needed", tmp_path) == []


def test_a_database_that_was_upgraded_is_current(databases: Databases) -> None:
    assert migrations.run.is_current(databases)


def test_an_empty_database_is_not_current(empty_settings: Settings) -> None:
    empty = open_databases(empty_settings.database_url, empty_settings.ingest_database_url)

    assert not migrations.run.is_current(empty)
    empty.dispose()


def test_two_upgrades_at_once_wait_for_each_other(empty_settings: Settings) -> None:
    settings = empty_settings
    failures: list[BaseException] = []

    def upgrade() -> None:
        try:
            migrations.run.upgrade(settings)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    upgraded = open_databases(settings.database_url, settings.ingest_database_url)
    assert migrations.run.is_current(upgraded)
    upgraded.dispose()
