"""Tallies: how many installs did what in a period, each install in one cell of each tally. For noised counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedback.tables import INFERENCES, POLL_EVENTS

ANSWERED: Final = "answered"
ASKED_ONLY: Final = "asked only"
FINE: Final = "fine"
CRASHED: Final = "crashed"
TIMED_OUT: Final = "timed out"
BOTH: Final = "crashed and timed out"
_HARMS: Final = {(0, 0): FINE, (1, 0): CRASHED, (0, 1): TIMED_OUT, (1, 1): BOTH}


def polled_tallies(session: Session, *, app: str, since: datetime, until: datetime) -> Mapping[str, Mapping[str, int]]:
    """Return, by model, how many installs answered in [since, until), and how many were asked and did not."""
    event = POLL_EVENTS.c
    each = (
        sa.select(event.model, sa.func.max(sa.case((event.kind == "answered", 1), else_=0)).label("answered"))
        .where(event.app == app, event.at >= since, event.at < until, event.install.is_not(None))
        .group_by(event.model, event.install)
        .subquery()
    )
    found: dict[str, dict[str, int]] = defaultdict(lambda: {ANSWERED: 0, ASKED_ONLY: 0})
    counted = sa.select(each.c.model, each.c.answered, sa.func.count()).group_by(each.c.model, each.c.answered)
    for model, answered, n in session.execute(counted):
        found[model][ANSWERED if answered else ASKED_ONLY] = n
    return dict(found)


def harm_tallies(session: Session, *, app: str, since: datetime, until: datetime) -> Mapping[str, Mapping[str, int]]:
    """Return, by model, how many of the installs that reported in [since, until) it crashed or timed out for."""
    run = INFERENCES.c
    each = (
        sa.select(
            run.model,
            *(
                sa.func.max(sa.case((harm > 0, 1), else_=0)).label(name)
                for name, harm in (("crashed", run.crashes), ("timed_out", run.timeouts))
            ),
        )
        .where(run.app == app, run.window_start >= since, run.window_start < until, run.install.is_not(None))
        .group_by(run.model, run.install)
        .subquery()
    )
    harms = (each.c.model, each.c.crashed, each.c.timed_out)
    found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_HARMS.values(), 0))
    for model, crashed, timed_out, n in session.execute(sa.select(*harms, sa.func.count()).group_by(*harms)):
        found[model][_HARMS[crashed, timed_out]] = n
    return dict(found)
