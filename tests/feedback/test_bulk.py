from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from core.db import Databases
from feedback import bulk
from feedback.bulk import Bulk, KnownRows, NewRows
from feedback.tables import CELLS, DIARIES, POLL_EVENTS
from tests.builders import T0


def a_diary(name: str, packed: bytes = b"x") -> dict[str, Any]:
    return {"app": "demo", "release": "r", "month": 202611, "install": name, "arm": "baseline", "packed": packed}


def keys(*names: str) -> set[tuple[Any, ...]]:
    return {("demo", "r", 202611, name, "baseline") for name in names}


def test_only_rows_that_were_not_there_are_told_as_new(either: Databases) -> None:
    diaries = NewRows(DIARIES)
    with either.ingest.begin() as session:
        assert diaries.put(session, [a_diary("a"), a_diary("b")]) == keys("a", "b")
    with either.ingest.begin() as session:
        assert diaries.put(session, [a_diary("b"), a_diary("c")]) == keys("c")
        assert diaries.put(session, [a_diary("a"), a_diary("c")]) == set()
        assert diaries.put(session, []) == set()
    with either.ingest() as session:
        assert session.scalars(sa.select(DIARIES.c.install).order_by(DIARIES.c.install)).all() == ["a", "b", "c"]


def test_more_rows_than_a_statement_takes_go_in_parts(either: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_PARAMETERS", 20)
    monkeypatch.setattr(bulk, "KEYS_A_STATEMENT", 3)
    names = [f"{number:03}" for number in range(40)]
    with either.ingest.begin() as session:
        NewRows(DIARIES).put(session, [a_diary(name) for name in names[::7]])
        new = NewRows(DIARIES).put(session, [a_diary(name, name.encode()) for name in names])
        known = KnownRows(DIARIES, "packed").read(session, sorted(keys(*names, "not there")))
    assert new == keys(*names) - keys(*names[::7])
    assert {key[3]: packed for key, packed in known.items()} == {
        name: b"x" if name in names[::7] else name.encode() for name in names
    }


def test_what_was_not_new_is_left_as_it_was(either: Databases) -> None:
    with either.ingest.begin() as session:
        NewRows(DIARIES).put(session, [a_diary("a")])
        NewRows(DIARIES).put(session, [a_diary("a", b"y"), a_diary("b")])
        assert set(session.scalars(sa.select(DIARIES.c.packed))) == {b"x"}


def test_every_kind_of_column_comes_back_as_it_went_in(either: Databases) -> None:
    row = dict.fromkeys((column.name for column in POLL_EVENTS.c), None)
    row |= {"app": "demo", "uuid": "ü'\"%s?:x", "kind": "answered", "at": T0, "received_at": T0, "skew_s": -3}
    row |= {"completed": True, "consent_granted": False, "consent_at": T0, "poll_version": 2}
    with either.ingest.begin() as session:
        Bulk(POLL_EVENTS, lambda statement: statement).put(session, [row])
        assert dict(session.execute(sa.select(POLL_EVENTS)).mappings().one()) == row


def test_a_statement_with_parameters_elsewhere_is_refused(either: Databases) -> None:
    def with_a_parameter(statement: Any) -> Any:
        return statement.on_conflict_do_update(index_elements=list(CELLS.primary_key.columns), set_={"n": 5})

    key = {"app": "a", "release": "r", "hour": T0, "stratum": "s", "arm": "baseline", "metric": "m", "bucket": 0}
    with either.ingest.begin() as session, pytest.raises(AssertionError, match="cannot be repeated"):
        Bulk(CELLS, with_a_parameter).put(session, [key | {"n": 1, "total": 1, "total_sq": 1}])
