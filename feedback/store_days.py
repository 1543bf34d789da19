"""Days: what a model saw and said, counted per day and leaf cohort; rolled up from roll-ups of phones, once a night.

A day is counted anew each time, so that what arrives late is in it and running twice changes nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.device import DeviceContext
from feedback.responses import CONTEXT_FIELDS
from feedback.tables import CONTEXTS, DAYS, INFERENCES

OUTPUTS: Final = "outputs"
CONFIDENCE: Final = "confidence"
INVALID: Final = "invalid inputs"
FALLBACK: Final = "fallback"
BAD, FINE = "yes", "no"
ROWS_AT_ONCE: Final = 5_000
LABEL_CHARS: Final = 80

Key = tuple[str, str, str]
"""Context, measure and outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafDay:
    """How often each outcome was seen on a day on devices that agree in everything."""

    device: DeviceContext
    measure: str
    day: date
    counts: Mapping[str, int]


def roll_up_day(session: Session, *, app: str, model: str, day: date) -> int:
    """Count a day (UTC) anew; return how many counts were written. What a release's candidate did is left out."""
    row = INFERENCES.c
    start = datetime.combine(day, time(), UTC)
    wanted = [row.app == app, row.model == model, row.window_start >= start, row.window_start < start + timedelta(1)]
    wanted += [row.context.is_not(None), sa.or_(row.arm.is_(None), row.arm != "candidate")]
    statement = sa.select(row.context, row.count, row.invalid, row.fell_back, row.extra).where(*wanted)
    counts: Counter[Key] = Counter()
    for context, count, invalid, fell_back, extra in session.execute(
        statement, execution_options={"yield_per": ROWS_AT_ONCE}
    ):
        counts.update(_counted(context, count or 0, invalid or 0, bool(fell_back), extra or {}))
    session.execute(sa.delete(DAYS).where(DAYS.c.app == app, DAYS.c.model == model, DAYS.c.day == day))
    rows = [
        {"app": app, "model": model, "day": day, "context": key[0], "measure": key[1], "outcome": key[2], "n": n}
        for key, n in sorted(counts.items())
        if n > 0
    ]
    for first in range(0, len(rows), ROWS_AT_ONCE):
        session.execute(sa.insert(DAYS), rows[first : first + ROWS_AT_ONCE])
    return len(rows)


def rolled_up(session: Session, *, app: str, model: str) -> frozenset[date]:
    """Return the days that were counted and had anything in them."""
    return frozenset(session.scalars(sa.select(DAYS.c.day).where(DAYS.c.app == app, DAYS.c.model == model).distinct()))


def first_day(session: Session, *, app: str, model: str) -> date | None:
    """Return the day (UTC) of the oldest roll-up that is kept."""
    row = INFERENCES.c
    found = session.scalar(sa.select(sa.func.min(row.window_start)).where(row.app == app, row.model == model))
    return found.date() if isinstance(found, datetime) else None


def leaf_days(session: Session, *, app: str, model: str, since: date, until: date) -> tuple[LeafDay, ...]:
    """Return the counts of [since, until) by leaf, measure and day."""
    wanted = (DAYS.c.app == app, DAYS.c.model == model, DAYS.c.day >= since, DAYS.c.day < until)
    source = DAYS.join(CONTEXTS, CONTEXTS.c.id == DAYS.c.context)
    facts = [CONTEXTS.c[field] for field in CONTEXT_FIELDS]
    statement = sa.select(DAYS.c.context, DAYS.c.measure, DAYS.c.day, DAYS.c.outcome, DAYS.c.n, *facts)
    devices: dict[str, DeviceContext] = {}
    found: dict[tuple[str, str, date], dict[str, int]] = {}
    for context, measure, day, outcome, n, *told in session.execute(statement.select_from(source).where(*wanted)):
        if context not in devices:
            devices[context] = DeviceContext(**dict(zip(CONTEXT_FIELDS, told, strict=True)))
        found.setdefault((context, measure, day), {})[outcome] = n
    return tuple(
        LeafDay(device=devices[context], measure=measure, day=day, counts=counts)
        for (context, measure, day), counts in found.items()
    )


def leaf_installs(
    session: Session, *, app: str, model: str, since: datetime, until: datetime
) -> tuple[tuple[DeviceContext, int], ...]:
    """Return how many installs reported on each kind of device in [since, until)."""
    row = INFERENCES.c
    wanted = (row.app == app, row.model == model, row.window_start >= since, row.window_start < until)
    facts = [CONTEXTS.c[field] for field in CONTEXT_FIELDS]
    people = sa.func.count(sa.distinct(row.install))
    source = INFERENCES.join(CONTEXTS, CONTEXTS.c.id == row.context)
    statement = sa.select(people, *facts).select_from(source).where(*wanted).group_by(CONTEXTS.c.id)
    return tuple(
        (DeviceContext(**dict(zip(CONTEXT_FIELDS, told, strict=True))), int(n))
        for n, *told in session.execute(statement)
    )


def _counted(context: str, count: int, invalid: int, fell_back: bool, extra: Mapping[str, Any] | str) -> dict[Key, int]:
    told = json.loads(extra) if isinstance(extra, str) else extra
    found: Counter[Key] = Counter()
    for label, n in (told.get("outputs") or {}).items():
        found[context, OUTPUTS, str(label)[:LABEL_CHARS]] += int(n)
    for band, n in _bands(told.get("confidence") or {}):
        found[context, CONFIDENCE, band] += n
    found[context, INVALID, BAD] += invalid
    found[context, INVALID, FINE] += max(0, count - invalid)
    found[context, FALLBACK, BAD if fell_back else FINE] += 1
    return found


def _bands(confidence: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """Yield counts by tenth ("0.8–0.9"), whatever edges the phone uses; a bin belongs where its middle is."""
    edges, counts = confidence.get("edges") or [], confidence.get("counts") or []
    for low, high, n in zip(edges, edges[1:], counts, strict=False):
        tenth = min(9, max(0, int(10 * (low + high) / 2)))
        yield f"{tenth / 10:.1f}–{(tenth + 1) / 10:.1f}", int(n)
