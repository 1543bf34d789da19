"""Cells: roll-ups that guardrails are fed with, folded in memory over a commit and upserted once, in key order.

Only what was new is counted, in the same transaction. An install and hour counts once for each metric, however often
it reports: one bad phone must not decide a release. Late reports are credited to the hour they happened in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedback.bulk import Bulk, NewRows
from feedback.sketches import quantile_bucket
from feedback.store_items import AnswerChange, Standing
from feedback.tables import CELLS, MARKS
from feedback.telemetry import CSAT, INSTALL_HOURS, LATENCY, LATENCY_P95, Summary, harms, hour_of

CellKey = tuple[str, str, datetime, str, str, str, int]
Sums = tuple[int, int, int]
KEY = ("app", "release", "hour", "stratum", "arm", "metric", "bucket")
RATED = frozenset({"csat", "rating"})


def count(session: Session, summaries: Iterable[Summary], answers: Iterable[AnswerChange]) -> None:
    """Count new summaries and changed answers into their cells."""
    deltas: dict[CellKey, Sums] = {}
    counted = [summary for summary in summaries if summary.sender.release and summary.sender.arm]
    for key in _new_marks(session, counted):
        _fold(deltas, key, (1, 0, 0))
    for summary in counted:
        for bucket, n in summary.latency.items():
            _fold(deltas, _key(summary, LATENCY, bucket), (n, 0, 0))
    for change in answers:
        if change.before:
            _fold_answer(deltas, change.before, -1)
        _fold_answer(deltas, change.after, +1)
    _upsert(session, deltas)


def _new_marks(session: Session, summaries: Iterable[Summary]) -> list[CellKey]:
    """Return the cells in which an install's hour is counted for the first time."""
    wanted: dict[tuple[str, str], CellKey] = {}
    for summary in summaries:
        for key in _claims(summary):
            wanted[summary.sender.install, _digest(key)] = key
    rows = [{"install": install, "mark": mark, "hour": wanted[install, mark][2]} for install, mark in sorted(wanted)]
    return [wanted[install, mark] for install, mark in _MARKS.put(session, rows)]


def _claims(summary: Summary) -> list[CellKey]:
    claims = [_key(summary, metric, 0) for metric in (INSTALL_HOURS, *harms(summary))]
    p95 = quantile_bucket(summary.latency, 0.95)
    return claims if p95 is None else [*claims, _key(summary, LATENCY_P95, p95)]


def _key(summary: Summary, metric: str, bucket: int) -> CellKey:
    sender = summary.sender
    assert sender.release
    assert sender.arm
    return sender.app, sender.release, summary.hour, sender.stratum, sender.arm, metric, bucket


def _digest(key: CellKey) -> str:
    return hashlib.blake2b("\x1f".join(map(str, key)).encode(), digest_size=12).hexdigest()


def _fold(deltas: dict[CellKey, Sums], key: CellKey, more: Sums) -> None:
    n, total, total_sq = deltas.get(key, (0, 0, 0))
    deltas[key] = (n + more[0], total + more[1], total_sq + more[2])


def _fold_answer(deltas: dict[CellKey, Sums], answer: Standing, sign: int) -> None:
    """Count a primary rating in whole stars; other answers feed no guardrail."""
    if not (answer.is_primary and answer.kind in RATED and answer.release and answer.arm and answer.value):
        return
    stars = json.loads(answer.value)
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
_MARKS = NewRows(MARKS)
