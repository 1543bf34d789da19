"""The migrations make exactly the tables that the code knows."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path

import migrations.run
from core.db import Databases, open_databases
from core.settings import Settings
from feedback import store
from tests.feedback.sending import a_running_poll


def test_nothing_is_left_to_migrate(tmp_path: Path) -> None:
    assert migrations.run.write_revisions("must not be needed", tmp_path) == []


def test_a_database_that_was_upgraded_is_current(databases: Databases) -> None:
    assert migrations.run.is_current(databases)


def test_a_poll_whose_author_named_no_days_is_kept_as_long_as_the_setting_says(databases: Databases) -> None:
    step = importlib.import_module("migrations.control.versions.0017_keep_polls_as_long_as_the_setting_says")
    with databases.control.begin() as session:
        for poll, days in (("unsaid", 180), ("short", 30)):
            a_running_poll(session, id=poll, retention_days=days)

    with databases.control_engine.begin() as connection:
        step.forget_former_default(connection)

    with databases.control() as session:
        kept = {poll: store.known_poll(session, poll, app="demo") for poll in ("unsaid", "short")}
        assert {poll: each and each.poll.retention_days for poll, each in kept.items()} == {"unsaid": None, "short": 30}
        assert store.retention_by_poll(session) == {"short": 30}


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
