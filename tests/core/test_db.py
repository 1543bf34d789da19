from __future__ import annotations

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.db import Databases, open_engine, repeatable


def test_commits_that_can_be_repeated_leave_no_connection_that_waits_for_no_disk(databases: Databases) -> None:
    if databases.ingest_engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL sets it for one transaction")
    levels = []
    with repeatable(databases.ingest) as session:
        levels.append(session.scalar(sa.text("PRAGMA synchronous")))
        session.commit()
    for _ in range(3):
        connection = databases.ingest_engine.raw_connection()
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous")
        levels += [row[0] for row in cursor.fetchall()]
        connection.close()

    normal, full = 1, 2
    assert levels == [normal, full, full, full]


def test_one_that_fails_half_way_leaves_nothing_behind_either(databases: Databases) -> None:
    if databases.ingest_engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL sets it for one transaction")
    with pytest.raises(sa.exc.OperationalError), repeatable(databases.ingest) as session:  # noqa: PT012
        session.execute(sa.text("DELETE FROM inbox"))
        session.execute(sa.text("DELETE FROM a_table_that_is_not_there"))
    with databases.ingest() as session:
        assert session.scalar(sa.text("PRAGMA synchronous")) == 2


def test_a_new_database_is_for_our_user_alone_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "old.db").touch(mode=0o644)

    for name in ("new.db", "old.db"):
        engine = open_engine(f"sqlite:///{tmp_path}/{name}")
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (x)")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob(f"{name}*")}
        engine.dispose()
        assert modes == dict.fromkeys([name, f"{name}-wal", f"{name}-shm"], 0o600 if name == "new.db" else 0o644)
