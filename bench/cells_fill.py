"""A history in the tables, as folding leaves it, for `bench.cells`: reports of phones, answers, cells and days.

Answers go through the fold; reports of telemetry are inserted as rows, and their cells and days are counted of those.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.arms import ArmName
from core.db import Databases, repeatable
from core.device import DeviceContext
from core.privacy import InstallHash
from feedback import diaries, store_diaries
from feedback.fold import write
from feedback.inbox import Item
from feedback.responses import CONTEXT_FIELDS, Answer, PollEvent, Sender, context_id, stratum
from feedback.store_days import roll_up_day
from feedback.store_items import portion
from feedback.tables import CONTEXTS, INFERENCES
from feedback.telemetry import Summary

START = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = 14
LEAVES = 2_000
# Each attribute of the lattice and how many values it has.
ATTRIBUTES = {"chipset": 12, "os": 6, "accelerator": 4, "country": 8, "tier": 3, "app_version": 4}
ANSWERS_OF = 10
INSTALLS = 50_000
POLL = "poll_1"
LETTERS_AT_ONCE = 2_000
ROWS_AT_ONCE = 50_000
DIARIES_AT_ONCE = 500

CELLS_OF_REPORTS = """
INSERT INTO cells (app, release, hour, stratum, arm, metric, bucket, n, total, total_sq)
SELECT app, release, window_start, stratum, arm, '{metric}', 0, count(DISTINCT install), 0, 0
FROM inferences JOIN strata ON strata.id = inferences.context WHERE {harmed} GROUP BY 1, 2, 3, 4, 5"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """`leaf` is the number of each report's device in `devices`, `fell_back` what it told."""

    devices: tuple[DeviceContext, ...]
    leaf: Any
    fell_back: Any


def fill(databases: Databases, events: int) -> Filled:
    """Write so many events of fourteen days, nine in ten of them reports, and what is counted of them."""
    random = np.random.default_rng(events)
    devices = _devices()
    keys = [context_id(device) for device in devices]
    reports = events - events // ANSWERS_OF
    leaf, hour = np.arange(reports) % INSTALLS % LEAVES, random.integers(0, 24 * DAYS, reports)
    fell_back = random.random(reports) < 0.03
    with databases.ingest.begin() as session:
        facts = [{field: getattr(each, field) for field in CONTEXT_FIELDS} for each in devices]
        session.execute(sa.insert(CONTEXTS), [one | {"id": key} for one, key in zip(facts, keys, strict=True)])
        session.execute(sa.text("CREATE TEMPORARY TABLE strata (id TEXT PRIMARY KEY, stratum TEXT)"))
        rows = [{"id": key, "stratum": stratum(each)} for key, each in zip(keys, devices, strict=True)]
        session.execute(sa.text("INSERT INTO strata VALUES (:id, :stratum)"), rows)
        crashed = random.random(reports) < 0.01
        _insert(session, INFERENCES, _reports(keys, leaf, hour, fell_back, crashed))
        _fill_diaries(session, devices, keys, hour, fell_back, crashed)
        for metric, harmed in (("install_hours", "1 = 1"), ("crash_rate", "crashes > 0")):
            session.execute(sa.text(CELLS_OF_REPORTS.format(metric=metric, harmed=harmed)))
        for day in range(DAYS):
            roll_up_day(session, app="bench", model="m", day=(START + timedelta(days=day)).date())
        session.execute(sa.text("DROP TABLE strata"))
    fill_answers(databases, events)
    return Filled(devices=devices, leaf=leaf, fell_back=fell_back)


def _devices() -> tuple[DeviceContext, ...]:
    """Choose leaves among all combinations of values, the same ones each time."""
    sizes = tuple(ATTRIBUTES.values())
    chosen = np.random.default_rng(7).choice(int(np.prod(sizes)), LEAVES, replace=False)
    places = np.column_stack(np.unravel_index(chosen, sizes))
    tiers = ("low", "mid", "high")
    names = list(ATTRIBUTES)
    made = []
    for row in places.tolist():
        told: dict[str, Any] = {name: f"{name}-{place}" for name, place in zip(names, row, strict=True)}
        told["tier"] = tiers[row[names.index("tier")]]
        made.append(DeviceContext(platform="android", model_version="1.1.0", **told))
    return tuple(made)


def _reports(keys: list[str], leaf: Any, hour: Any, fell_back: Any, crashed: Any) -> Iterator[dict[str, Any]]:
    for number, (place, at, back, crash) in enumerate(zip(leaf, hour, fell_back, crashed, strict=True)):
        moment = START + timedelta(hours=int(at))
        release, arm = _trial(number)
        yield {
            "app": "bench", "uuid": f"r{number}", "window_start": moment, "received_at": moment, "skew_s": 0,
            "window_s": 3600, "install": f"i{number % INSTALLS}", "context": keys[place], "model": "m",
            "release": release, "arm": arm, "count": 10, "crashes": int(crash), "timeouts": 0, "invalid": 0,
            "fell_back": bool(back),
        }  # fmt: skip


def _trial(number: int) -> tuple[str, ArmName]:
    """Return the release and the arm of a report, and of its install: every other is of a release with even arms."""
    return ("rel_1", ("baseline", "candidate")[number % 4 // 2]) if number % 2 else ("rel_0", "baseline")


def _fill_diaries(
    session: Session, devices: Sequence[DeviceContext], keys: Sequence[str], hour: Any, fell_back: Any, crashed: Any
) -> None:
    """Write the diaries of the release as the fold does, some installs at once."""
    strata = [stratum(device) for device in devices]
    for first in range(0, INSTALLS, DIARIES_AT_ONCE):
        installs = (install for install in range(first, first + DIARIES_AT_ONCE) if _trial(install)[0] == "rel_1")
        summaries = (
            Summary(
                uuid=f"r{number}", model="m", window_start=START + timedelta(hours=int(hour[number])), window_s=3600,
                skew_s=0, received_at=START, count=10, crashes=int(crashed[number]), timeouts=0, invalid=0,
                fell_back=bool(fell_back[number]), latency={}, extra={},
                sender=Sender(
                    app="bench", install=InstallHash(f"i{install}"), device=devices[install % LEAVES],
                    context=keys[install % LEAVES], stratum=strata[install % LEAVES], release="rel_1",
                    arm=_trial(install)[1], consent=None,
                ),
            )
            for install in installs for number in range(install, len(hour), INSTALLS)
        )  # fmt: skip
        store_diaries.add(session, filter(None, (diaries.of_summary(summary, None) for summary in summaries)))


def fill_answers(databases: Databases, events: int) -> None:
    """Take in answers, each to a poll that was shown a minute before, by the fold that takes in a phone's."""
    devices, count, random = _devices(), events // ANSWERS_OF, np.random.default_rng(events)
    minutes, stars = random.integers(1, 60 * 24 * DAYS, count), random.integers(1, 6, count)
    keys = [context_id(device) for device in devices]
    letters: list[Item] = []
    for number, (minute, star) in enumerate(zip(minutes.tolist(), stars.tolist(), strict=True)):
        device = devices[number % LEAVES]
        sender = Sender(
            app="bench", install=InstallHash(f"i{number % INSTALLS}"), device=device, context=keys[number % LEAVES],
            stratum="all", release="rel_1", arm="baseline", consent=None,
        )  # fmt: skip
        at = START + timedelta(minutes=minute)
        letters += [_event(sender, number, "shown", at - timedelta(minutes=1)), _event(sender, number, star, at)]
        if len(letters) >= LETTERS_AT_ONCE or number == count - 1:
            with repeatable(databases.ingest) as session:
                write(session, portion(databases.ingest_engine.dialect, letters))
                session.commit()
            letters = []


def _event(sender: Sender, number: int, told: Literal["shown"] | int, at: datetime) -> PollEvent:
    kind: Literal["shown", "answered"] = "shown" if told == "shown" else "answered"
    given = () if told == "shown" else (_rating(told),)
    return PollEvent(
        uuid=f"{kind}{number}", sender=sender, kind=kind,
        poll=POLL, poll_version=1, model="m", submission=f"s{number}", at=at, skew_s=0, received_at=at, completed=None,
        language=None, inference=None, answers=given,
    )  # fmt: skip


def _rating(stars: int) -> Answer:
    return Answer(
        question="q", kind="csat", is_primary=True, value=str(stars), sealed=None, mechanism=None, epsilon=None
    )


def _insert(session: Session, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    while part := list(itertools.islice(rows, ROWS_AT_ONCE)):
        session.execute(sa.insert(table), part)
