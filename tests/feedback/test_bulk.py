from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from core.db import Databases
from feedback import bulk
from feedback.bulk import Bulk, NewRows
from feedback.tables import CELLS, MARKS, POLL_EVENTS
from tests.builders import T0


def a_mark(name: str, install: str = "i") -> dict[str, Any]:
    return {"install": install, "mark": name, "hour": T0}


def test_only_rows_that_were_not_there_are_told_as_new(either: Databases) -> None:
    marks = NewRows(MARKS)
    with either.ingest.begin() as session:
        assert marks.put(session, [a_mark("a"), a_mark("b")]) == {("i", "a"), ("i", "b")}
    with either.ingest.begin() as session:
        assert marks.put(session, [a_mark("b"), a_mark("c")]) == {("i", "c")}
        assert marks.put(session, [a_mark("a"), a_mark("c")]) == set()
        assert marks.put(session, []) == set()
    with either.ingest() as session:
        assert session.execute(sa.select(MARKS).order_by(MARKS.c.mark)).all() == [
            ("i", name, T0) for name in ("a", "b", "c")
        ]


def test_more_rows_than_a_statement_takes_go_in_parts(either: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_PARAMETERS", 10)
    names = [f"{number:03}" for number in range(40)]
    with either.ingest.begin() as session:
        NewRows(MARKS).put(session, [a_mark(name) for name in names[::7]])
        new = NewRows(MARKS).put(session, [a_mark(name) for name in names])
    assert new == {("i", name) for name in names} - {("i", name) for name in names[::7]}


def test_what_was_not_new_is_left_as_it_was(either: Databases) -> None:
    with either.ingest.begin() as session:
        NewRows(MARKS).put(session, [a_mark("a")])
        NewRows(MARKS).put(session, [a_mark("a") | {"hour": T0.replace(hour=1)}, a_mark("b")])
        assert set(session.scalars(sa.select(MARKS.c.hour))) == {T0}


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
