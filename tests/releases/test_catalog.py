"""Offers cost no query, and yet every process hears of a change within half a second."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from core.db import Databases
from core.errors import NotFoundError
from releases.catalog import LOOK_EVERY_S, Catalog
from releases.rollout import Halt, RollBack, State
from tests.releases.builders import Seconds, do, queries, register_both, start


def test_a_thousand_offers_cost_one_small_query_each_half_second(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
    seconds = Seconds()
    catalog = Catalog(databases, seconds=seconds)
    catalog.slots("demo")

    with queries(databases) as said:
        for step in range(1000):
            seconds.now = step * LOOK_EVERY_S / 500
            catalog.slot("demo", "kws")

    counted = [statement for statement in said if "SELECT" in statement]
    assert len(counted) == 1
    assert "release_counters" in counted[0]


def test_a_halt_is_seen_at_the_next_look(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = start(session)
    seconds = Seconds()
    catalog = Catalog(databases, seconds=seconds)
    assert _state(catalog) is State.PROGRESSING

    with databases.control.begin() as session:
        do(session, rollout, Halt(reason="stop"))

    assert _state(catalog) is State.PROGRESSING
    seconds.now = LOOK_EVERY_S
    assert _state(catalog) is State.HALTED


def test_the_files_of_a_rolled_back_release_are_quarantined_in_the_catalog(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, rollout = start(session)
        do(session, rollout, RollBack(reason="crashes"))

    live = Catalog(databases).slot("demo", "kws").live

    assert live is not None
    assert [artifact.quarantined for artifact in live.candidates] == [True]


def test_apps_do_not_see_one_anothers_models(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
    catalog = Catalog(databases)

    assert catalog.slots("other") == ()
    with pytest.raises(NotFoundError, match="no model kws"):
        catalog.slot("other", "kws")


def test_while_the_database_cannot_be_read_the_last_catalog_stands(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
    seconds = Seconds()
    catalog = Catalog(databases, seconds=seconds)
    before = catalog.slots("demo")

    def away(*_: Any) -> None:
        raise sa.exc.OperationalError("SELECT", {}, ConnectionError("server closed the connection"))

    sa.event.listen(databases.control_engine, "before_cursor_execute", away)
    seconds.now = 10

    assert catalog.slots("demo") == before


def _state(catalog: Catalog) -> State:
    live = catalog.slot("demo", "kws").live
    assert live is not None
    return live.rollout.state
