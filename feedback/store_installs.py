"""One install's own data (export, erase), and counts of who was there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.device import DeviceContext
from core.privacy import InstallHash, unseal
from feedback.responses import CONTEXT_FIELDS
from feedback.sketches import quantile_bucket
from feedback.store_sheets import change, lock_sheets, of_install
from feedback.tables import ANSWERS, CONTEXTS, DIARIES, INFERENCES, INSTALLS, POLL_EVENTS

RAN = ("reporting", "inferences", "crashes", "timeouts", "crashed", "timed_out")
KEPT_WHEN_ERASED = frozenset({"app", "uuid", "kind"})
MOMENTS = {POLL_EVENTS: POLL_EVENTS.c.at, INFERENCES: INFERENCES.c.window_start}
KEPT = {"answers": ANSWERS, "events": POLL_EVENTS, "inferences": INFERENCES, "installs": INSTALLS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What one model saw in a period; people, and those it `crashed` or `timed_out` for, are distinct installs."""

    model: str
    impressions: int
    responses: int
    respondents: int
    reporting: int
    inferences: int
    crashes: int
    timeouts: int
    crashed: int = 0
    timed_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """What one hour of use took of a full battery, as a share, and how many installs told of it."""

    share: float
    installs: int


def installs_seen(
    session: Session, *, app: str, since: datetime, first_before: datetime | None = None
) -> tuple[tuple[InstallHash, DeviceContext], ...]:
    """Return the installs heard of since then, each with the device it was last on; only those known by `first_before`.

    Of a period that is over, those that came after it have to be left out by that.
    """
    source = INSTALLS.join(CONTEXTS, CONTEXTS.c.id == INSTALLS.c.context)
    facts = [CONTEXTS.c[field] for field in CONTEXT_FIELDS]
    statement = sa.select(INSTALLS.c.install, *facts).select_from(source)
    wanted = [INSTALLS.c.app == app, INSTALLS.c.last_seen >= since]
    wanted += [] if first_before is None else [INSTALLS.c.first_seen < first_before]
    rows = session.execute(statement.where(*wanted).order_by(INSTALLS.c.install))
    return tuple(
        (InstallHash(install), DeviceContext(**dict(zip(CONTEXT_FIELDS, values, strict=True))))
        for install, *values in rows
    )


def activity(session: Session, *, app: str, since: datetime, until: datetime) -> tuple[Activity, ...]:
    """Return impressions, responses and inferences of each model in [since, until), for the digest."""
    event, run = POLL_EVENTS.c, INFERENCES.c
    submission = event.install + sa.literal("/") + event.submission
    polled = (
        sa.select(
            event.model,
            sa.func.count(sa.distinct(submission)),
            sa.func.count(sa.distinct(sa.case((event.kind == "answered", submission)))),
            sa.func.count(sa.distinct(sa.case((event.kind == "answered", event.install)))),
        )
        .where(event.app == app, event.at >= since, event.at < until, event.install.is_not(None))
        .group_by(event.model)
    )
    ran = (
        sa.select(
            run.model,
            sa.func.count(sa.distinct(run.install)),
            *(sa.func.sum(column) for column in (run.count, run.crashes, run.timeouts)),
            *(sa.func.count(sa.distinct(sa.case((harm > 0, run.install)))) for harm in (run.crashes, run.timeouts)),
        )
        .where(run.app == app, run.window_start >= since, run.window_start < until, run.install.is_not(None))
        .group_by(run.model)
    )
    said = {model: tuple(counts) for model, *counts in session.execute(polled)}
    did = {model: tuple(int(n) for n in counts) for model, *counts in session.execute(ran)}
    return tuple(
        Activity(
            model=model,
            **dict(zip(("impressions", "responses", "respondents"), said.get(model, (0, 0, 0)), strict=True)),
            **dict(zip(RAN, did.get(model, (0,) * len(RAN)), strict=True)),
        )
        for model in sorted(said.keys() | did.keys())
    )


def usual_latency_p95(session: Session, *, app: str, model: str, since: datetime, until: datetime) -> int | None:
    """Return the log2x4 bucket of the p95 that half of the install-hours kept within; None without any."""
    run = INFERENCES.c
    wanted = (
        run.app == app, run.model == model, run.window_start >= since, run.window_start < until,
        run.latency_p95.is_not(None),
    )  # fmt: skip
    found = session.execute(sa.select(run.latency_p95, sa.func.count()).where(*wanted).group_by(run.latency_p95))
    return quantile_bucket({bucket: n for bucket, n in found}, 0.5)  # noqa: C416 (rows are no pairs for dict)


def battery_per_hour(session: Session, *, app: str, model: str, since: datetime, until: datetime) -> Battery | None:
    """Return what an hour of the windows that told of battery took on average; None when none did."""
    run, told = INFERENCES.c, INFERENCES.c.extra["battery_pct"].as_float()
    wanted = (
        run.app == app, run.model == model, run.window_start >= since, run.window_start < until,
        run.install.is_not(None), run.extra.is_not(None), told.is_not(None), run.window_s > 0,
    )  # fmt: skip
    sums = sa.func.sum(told), sa.func.sum(run.window_s), sa.func.count(sa.distinct(run.install))
    percent, seconds, installs = session.execute(sa.select(*sums).where(*wanted)).one()
    if not installs:
        return None
    return Battery(share=float(percent) / 100 / (float(seconds) / 3600), installs=int(installs))


def export_install(session: Session, *, app: str, install: InstallHash, key: bytes) -> dict[str, Any]:
    """Return everything kept about an install, for the one who holds its raw id; texts unsealed with `key`."""
    export = {name: _rows(session, table, app, install) for name, table in KEPT.items()}
    for answer in export["answers"]:
        answer["text"] = unseal(answer["sealed"], key) if answer["sealed"] else None
        del answer["sealed"]
    contexts = {row["context"] for rows in export.values() for row in rows}
    table = CONTEXTS
    devices = session.execute(sa.select(table).where(table.c.id.in_(contexts)).order_by(table.c.id)).mappings()
    return {**export, "contexts": [_filled(row) for row in devices]}


def erase_install(session: Session, *, app: str, install: InstallHash) -> int:
    """Erase everything about an install; return how many rows that touched. Erasing twice changes nothing.

    Events keep app, uuid, kind and the day, so that what its phone sends again stays a duplicate; its sheets and
    diaries go. Cells, in which nobody can be told apart, stay as they are.
    """
    touched = 0
    lock_sheets(session)
    change(session, removed=of_install(session, install, app=app))
    for table in MOMENTS:
        touched += _blank(session, table, app, install)
    for table in (ANSWERS, INSTALLS):
        touched += _touched(session.execute(sa.delete(table).where(table.c.app == app, table.c.install == install)))
    session.execute(sa.delete(DIARIES).where(DIARIES.c.app == app, DIARIES.c.install == install))
    return touched


def _blank(session: Session, table: sa.Table, app: str, install: InstallHash) -> int:
    """Leave nothing of an install's rows by which two of them could be known to be of one."""
    at, is_its = MOMENTS[table], (table.c.app == app, table.c.install == install)
    blank = {column.name: None for column in table.columns if column.name not in KEPT_WHEN_ERASED}
    touched = 0
    for day in {moment.date() for moment in session.scalars(sa.select(at).where(*is_its))}:
        begin = datetime.combine(day, time(), UTC)
        end = begin + timedelta(days=1)  # of its day the end, or retention would forget it while it may come again
        values = blank | {at.name: end, "received_at": end, "skew_s": 0}
        its_day = sa.update(table).where(*is_its, at >= begin, at < end)
        touched += _touched(session.execute(its_day.values(**values)))
    return touched


def _rows(session: Session, table: sa.Table, app: str, install: InstallHash) -> list[dict[str, Any]]:
    statement = sa.select(table).where(table.c.app == app, table.c.install == install)
    return [dict(row) for row in session.execute(statement.order_by(*table.primary_key.columns)).mappings()]


def _filled(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _touched(result: Any) -> int:
    return int(result.rowcount)
