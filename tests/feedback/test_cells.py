from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.db import Databases
from feedback import cells
from feedback.store_items import AnswerChange, Standing
from feedback.tables import CELLS
from tests.builders import T0, at

RATED = Standing(
    app="demo",
    release="rel_1",
    arm="candidate",
    at=T0,
    stratum="android/low",
    kind="csat",
    is_primary=True,
    value="4",
)


def counted(databases: Databases, *changes: AnswerChange) -> list[tuple[object, ...]]:
    with databases.ingest.begin() as session:
        cells.count(session, [], [], changes)
    with databases.ingest() as session:
        columns = (CELLS.c.hour, CELLS.c.bucket, CELLS.c.n, CELLS.c.total, CELLS.c.total_sq)
        return [tuple(row) for row in session.execute(sa.select(*columns).order_by(*columns))]


def test_a_changed_rating_moves_to_its_new_cell_and_the_emptied_one_is_gone(either: Databases) -> None:
    assert counted(either, AnswerChange(before=None, after=RATED)) == [(T0, 4, 1, 4, 16)]

    later = replace(RATED, value="1", at=at(2) + timedelta(minutes=7))
    assert counted(either, AnswerChange(before=RATED, after=later)) == [(at(2), 1, 1, 1, 1)]


def test_others_in_the_same_cell_stay_when_one_leaves(either: Databases) -> None:
    first = AnswerChange(before=None, after=RATED)
    moved = AnswerChange(before=RATED, after=replace(RATED, value="5"))
    assert counted(either, first, first, moved) == [(T0, 4, 1, 4, 16), (T0, 5, 1, 5, 25)]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(replace(RATED, is_primary=False), id="not the primary question"),
        pytest.param(replace(RATED, kind="nps", value="9"), id="not in stars"),
        pytest.param(replace(RATED, arm=None), id="of no arm"),
        pytest.param(replace(RATED, release=None), id="of no release"),
        pytest.param(replace(RATED, value=None), id="only text"),
    ],
)
def test_what_is_no_rating_of_an_arm_feeds_no_cell(databases: Databases, answer: Standing) -> None:
    assert counted(databases, AnswerChange(before=None, after=answer)) == []
