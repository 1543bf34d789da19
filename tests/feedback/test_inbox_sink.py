"""What stores letters waits for a lock once, and never longer than a phone waits for its answer."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from core.db import Databases
from feedback import inbox
from feedback.commit import OverloadedError
from feedback.inbox import Letter
from feedback.inbox_sink import InboxSink


def a_letter(uuid: str) -> Letter:
    return Letter(app="demo", kind="event", uuid=uuid, install="i", payload=b"{}")


def test_a_locked_database_is_waited_for_once_and_taken_as_soon_as_it_is_free(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = databases.ingest_engine
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL does not lock its tables for one writer")
    sink, tries = InboxSink(engine, lock_within_s=0), 0
    put_new = inbox.put_new

    def counted(cursor: object, rows: list[Letter]) -> list[bool]:
        nonlocal tries
        tries += 1
        return put_new(cursor, rows)

    assert sink.commit([a_letter("a")]) == [True]
    monkeypatch.setattr(inbox, "put_new", counted)
    with engine.begin() as other:
        other.execute(sa.text("SELECT 1"))
        with pytest.raises(OverloadedError, match="locked"):
            sink.commit([a_letter("b")])
        assert tries == 1

    assert sink.commit([a_letter("b"), a_letter("a")]) == [True, False]
