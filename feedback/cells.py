"""Cells: roll-ups that guardrails are fed with, folded in memory over a commit and upserted once, in key order.

Only what was new is counted, in the same transaction. An install's hour counts once, as its diary knows, however often
it reports. Late reports are credited to the hour they happened in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedback.bulk import Bulk
from feedback.diaries import NO_P95, HourChange
from feedback.store_items import AnswerChange, Standing
from feedback.tables import CELLS
from feedback.telemetry import CSAT, HARMS, INSTALL_HOURS, LATENCY, LATENCY_P95, Summary, hour_of

CellKey = tuple[str, str, datetime, str, str, str, int]
Sums = tuple[int, int, int]
KEY = ("app", "release", "hour", "stratum", "arm", "metric", "bucket")
RATED = frozenset({"csat", "rating"})


def count(
    session: Session, summaries: Iterable[Summary], hours: Iterable[HourChange], answers: Iterable[AnswerChange]
) -> None:
    """Count new summaries, and changed install-hours and answers, into their cells."""
    latencies: dict[CellKey, int] = {}
    for summary in summaries:
        sender = summary.sender
        if sender.release and sender.arm:
            key = (sender.app, sender.release, summary.hour, sender.stratum, sender.arm, LATENCY)
            for bucket, n in summary.latency.items():
                latencies[*key, bucket] = latencies.get((*key, bucket), 0) + n
    deltas = {key: (n, 0, 0) for key, n in latencies.items()}
    for hour in hours:
        _fold_hour(deltas, hour)
    for change in answers:
        if change.before:
            _fold_answer(deltas, change.before, -1)
        _fold_answer(deltas, change.after, +1)
    _upsert(session, deltas)


def _fold_hour(deltas: dict[CellKey, Sums], change: HourChange) -> None:
    """Count an install's hour that was not counted yet, harms it had not told before, and its p95 in place of one."""
    place, before, after = change.place, change.before, change.after
    key = (place.app, place.release, change.hour, change.stratum, place.arm)
    if before is None:
        _fold(deltas, (*key, INSTALL_HOURS, 0), (1, 0, 0))
    new = after.harms & ~(before.harms if before else 0)
    for number, name in enumerate(HARMS):
        if new >> number & 1:
            _fold(deltas, (*key, name, 0), (1, 0, 0))
    p95s = before.p95 if before else NO_P95, after.p95
    if p95s[0] != p95s[1]:
        for sign, p95 in zip((-1, 1), p95s, strict=True):
            if p95 != NO_P95:
                _fold(deltas, (*key, LATENCY_P95, p95), (sign, 0, 0))


def _fold(deltas: dict[CellKey, Sums], key: CellKey, more: Sums) -> None:
    n, total, total_sq = deltas.get(key, (0, 0, 0))
    deltas[key] = (n + more[0], total + more[1], total_sq + more[2])


def _fold_answer(deltas: dict[CellKey, Sums], answer: Standing, sign: int) -> None:
    """Count a primary rating in whole stars; other answers feed no guardrail."""
    if not (answer.is_primary and answer.kind in RATED and answer.release and answer.arm and answer.value):
        return
    stars = msgspec.json.decode(answer.value)
    if isinstance(stars, int):
        key = (answer.app, answer.release, hour_of(answer.at), answer.stratum, answer.arm, CSAT, stars)
        _fold(deltas, key, (sign, sign * stars, sign * stars * stars))


def _upsert(session: Session, deltas: Mapping[CellKey, Sums]) -> None:
    changed = {key: sums for key, sums in deltas.items() if sums != (0, 0, 0)}
    if not changed:
        return
    rows = [
        dict(zip(KEY, key, strict=True)) | dict(zip(("n", "total", "total_sq"), changed[key], strict=True))
        for key in sorted(changed)
    ]
    _CELLS.put(session, rows)
    if any(n < 0 for n, _, _ in changed.values()):
        # A cell that was emptied by a changed answer must look as if it had never been.
        gone = [key for key in changed if changed[key][0] < 0]
        is_one = sa.or_(*(sa.and_(*(CELLS.c[n] == v for n, v in zip(KEY, key, strict=True))) for key in sorted(gone)))
        session.execute(sa.delete(CELLS).where(is_one, CELLS.c.n == 0))


def _sums(statement: Any) -> Any:
    old, new = CELLS.c, statement.excluded
    sums = {name: old[name] + new[name] for name in ("n", "total", "total_sq")}
    return statement.on_conflict_do_update(index_elements=list(KEY), set_=sums)


_CELLS = Bulk(CELLS, _sums)
