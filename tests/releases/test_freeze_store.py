"""The freeze calendar: what is in it keeps every release from widening, and none from being stopped."""

from __future__ import annotations

import pytest

from core.db import Databases
from core.errors import ConflictError, InvalidInputError, NotFoundError
from releases.freeze_store import add_freeze, frozen, list_freezes, remove_freeze
from releases.rollout import Advance, Approve, Complete, Halt, Kill, Pause, RollBack, State, Submit
from tests.builders import T0, at
from tests.releases.builders import do, propose, register_both, start

DAYTIME = "Mon 08:00 – Mon 18:00 UTC"  # T0 is Monday 09:00


def test_a_freeze_is_added_once_listed_and_removed(databases: Databases) -> None:
    with databases.control.begin() as session:
        first = add_freeze(session, DAYTIME, app="demo", by="U0MIA", now=T0, reason="launch")
        assert add_freeze(session, "mon 8:00 - mon 18:00 UTC", app="demo", by="U0TOM", now=T0) == first
        assert [(kept.freeze, kept.added_by) for kept in list_freezes(session, app="demo")] == [(first, "U0MIA")]
        found = frozen(session, app="demo", now=T0)
        assert found is not None
        assert found.sentence == "frozen until Mon 16 Nov 18:00 UTC (F1, Mon 08:00 – Mon 18:00 UTC, launch)"

        assert remove_freeze(session, "f1", app="demo", by="U0TOM", now=T0) == first
        assert list_freezes(session, app="demo") == ()
        assert frozen(session, app="demo", now=T0) is None
        with pytest.raises(NotFoundError, match="no freeze F1"):
            remove_freeze(session, "F1", app="demo", by="U0TOM", now=T0)


def test_another_apps_freeze_is_not_ours(databases: Databases) -> None:
    with databases.control.begin() as session:
        add_freeze(session, DAYTIME, app="other", by="U0MIA", now=T0)

        assert frozen(session, app="demo", now=T0) is None
        with pytest.raises(NotFoundError):
            remove_freeze(session, "F1", app="demo", by="U0TOM", now=T0)
        with pytest.raises(InvalidInputError):
            add_freeze(session, "sometimes", app="demo", by="U0MIA", now=T0)
        with pytest.raises(InvalidInputError, match="is past; it would freeze nothing"):
            add_freeze(session, "2026-11-15 08:00 – 2026-11-16 09:00 UTC", app="demo", by="U0MIA", now=T0)


def test_nothing_starts_or_widens_in_a_freeze(databases: Databases) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, scheduled = propose(session)
        scheduled = do(session, scheduled, Submit(), Approve())
        add_freeze(session, DAYTIME, app="demo", by="U0MIA", now=T0)
        with pytest.raises(ConflictError, match="R1 cannot widen: frozen until Mon 16 Nov 18:00 UTC"):
            do(session, scheduled, Advance(stage=0, reason="start"), hours=1)
        running = do(session, scheduled, Advance(stage=0, reason="start"), hours=9)

        with pytest.raises(ConflictError, match="Halt, roll back and kill still work"):
            do(session, running, Advance(stage=1, reason="go"), hours=24 * 7)
        assert do(session, running, Advance(stage=1, reason="go"), hours=24).stage == 1


@pytest.mark.parametrize("stop", [Halt(reason="h"), RollBack(reason="r"), Kill(reason="k"), Pause(reason="p"),
                                  Complete(reason="done")], ids=lambda act: type(act).__name__)  # fmt: skip
def test_every_stop_works_in_a_freeze(databases: Databases, stop: Halt | RollBack | Kill | Pause | Complete) -> None:
    with databases.control.begin() as session:
        register_both(session)
        _, running = start(session)
        add_freeze(session, DAYTIME, app="demo", by="U0MIA", now=T0)

        assert do(session, running, stop, hours=1).state is not State.PROGRESSING
        assert frozen(session, app="demo", now=at(1)) is not None
