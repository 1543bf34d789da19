"""Tables of everything phones send (Ingest).

A device's facts are kept once, in `contexts`, under a hash of themselves; what phones send points there. So a row
stays narrow, the leaf cohorts of a period are the distinct contexts, and a rule is matched once per context.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Ingest


class InboxRow(Ingest):
    """What was acknowledged and is not folded into the other tables yet: `payload` is a packed PollEvent or Summary.

    Folding deletes the row in the same transaction. `refused` tells why the other tables will never take it.
    """

    __tablename__ = "inbox"
    __table_args__ = (sa.UniqueConstraint("app", "kind", "uuid"), {"sqlite_autoincrement": True})

    # AUTOINCREMENT: the number of a row that was folded must not come again.
    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    app: Mapped[str]
    kind: Mapped[str]
    uuid: Mapped[str]
    install: Mapped[str]
    payload: Mapped[bytes]
    refused: Mapped[str | None]
    refused_at: Mapped[datetime | None]


class ContextRow(Ingest):
    """One full combination of device facts (a leaf cohort); `id` is a hash of the others."""

    __tablename__ = "contexts"

    id: Mapped[str] = mapped_column(primary_key=True)
    platform: Mapped[str | None]
    os: Mapped[str | None]
    manufacturer: Mapped[str | None]
    device: Mapped[str | None]
    tier: Mapped[str | None]
    chipset: Mapped[str | None]
    ram_gb: Mapped[float | None]
    locale: Mapped[str | None]
    country: Mapped[str | None]
    app_version: Mapped[str | None]
    model: Mapped[str | None]
    model_version: Mapped[str | None]
    variant: Mapped[str | None]
    runtime: Mapped[str | None]
    accelerator: Mapped[str | None]
    cohort: Mapped[str | None]


class PollEventRow(Ingest):
    """One poll shown, answered or dismissed. Its uuid is the phone's, so a resend is seen.

    Erasing an install blanks the row but keeps app and uuid: what is sent again is still a duplicate.
    """

    __tablename__ = "poll_events"
    __table_args__ = (
        sa.Index("ix_poll_events_model", "app", "model", "at"),
        sa.Index("ix_poll_events_install", "install"),
    )

    app: Mapped[str] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    skew_s: Mapped[int]
    install: Mapped[str | None]
    context: Mapped[str | None]
    poll: Mapped[str | None]
    poll_version: Mapped[int | None]
    model: Mapped[str | None]
    submission: Mapped[str | None]
    release: Mapped[str | None]
    arm: Mapped[str | None]
    completed: Mapped[bool | None]
    language: Mapped[str | None]
    inference: Mapped[str | None]
    consent_granted: Mapped[bool | None]
    consent_text_version: Mapped[str | None]
    consent_at: Mapped[datetime | None]


class AnswerRow(Ingest):
    """The answer to one question of one submission: the one with the latest (at, uuid) stands.

    `value` is canonical JSON and can be grouped by; free text is only in `sealed`.
    """

    __tablename__ = "answers"
    __table_args__ = (sa.Index("ix_answers_model", "app", "model", "at"),)

    app: Mapped[str] = mapped_column(primary_key=True)
    install: Mapped[str] = mapped_column(primary_key=True)
    submission: Mapped[str] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    poll: Mapped[str]
    model: Mapped[str]
    kind: Mapped[str]
    is_primary: Mapped[bool]
    value: Mapped[str | None]
    sealed: Mapped[str | None]
    mechanism: Mapped[str | None]
    epsilon: Mapped[float | None]
    context: Mapped[str]
    stratum: Mapped[str]
    release: Mapped[str | None]
    arm: Mapped[str | None]
    at: Mapped[datetime]
    uuid: Mapped[str]


class InferenceRow(Ingest):
    """One InferenceSummary: counts and a latency histogram of one install's window; never an input.

    `latency_p95` is a bucket of the log2x4 scheme. Erasing an install blanks the row like a poll event.
    """

    __tablename__ = "inferences"
    __table_args__ = (
        sa.Index("ix_inferences_model", "app", "model", "window_start"),
        sa.Index("ix_inferences_release", "app", "release"),
        sa.Index("ix_inferences_install", "install"),
    )

    app: Mapped[str] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime]
    received_at: Mapped[datetime]
    skew_s: Mapped[int]
    window_s: Mapped[int | None]
    install: Mapped[str | None]
    context: Mapped[str | None]
    model: Mapped[str | None]
    release: Mapped[str | None]
    arm: Mapped[str | None]
    count: Mapped[int | None]
    crashes: Mapped[int | None]
    timeouts: Mapped[int | None]
    invalid: Mapped[int | None]
    fell_back: Mapped[bool | None]
    latency_p95: Mapped[int | None]
    latency: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    extra: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)


class InstallRow(Ingest):
    """One installation of an app, known only by its keyed hash, with the context it was last seen in."""

    __tablename__ = "installs"
    __table_args__ = ({"sqlite_with_rowid": False},)

    app: Mapped[str] = mapped_column(primary_key=True)
    install: Mapped[str] = mapped_column(primary_key=True)
    context: Mapped[str]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class CellRow(Ingest):
    """A roll-up that guardrails are fed with: hour × release × stratum × arm × metric (× bucket).

    Whole numbers only, so that sums are exact in any order.
    """

    __tablename__ = "cells"
    __table_args__ = ({"sqlite_with_rowid": False},)

    app: Mapped[str] = mapped_column(primary_key=True)
    release: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    stratum: Mapped[str] = mapped_column(primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(sa.BigInteger)
    total: Mapped[int] = mapped_column(sa.BigInteger)
    total_sq: Mapped[int] = mapped_column(sa.BigInteger)


class SheetRow(Ingest):
    """What one install was shown and said of a poll in a month (202611) on one kind of device: feedback/sheets.py.

    Made of poll events and answers and changed in the same transaction, so it is what they are, for reports.
    """

    __tablename__ = "sheets"
    __table_args__ = ({"sqlite_with_rowid": False},)

    app: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    poll: Mapped[str] = mapped_column(primary_key=True)
    context: Mapped[str] = mapped_column(primary_key=True)
    install: Mapped[str] = mapped_column(primary_key=True)
    packed: Mapped[bytes]


class DiaryRow(Ingest):
    """What one install told of its hours in one arm of a release, in a month (202611): feedback/diaries.py.

    Made of summaries and written in the same transaction, so that an hour is counted once, and for looks by device.
    """

    __tablename__ = "diaries"
    __table_args__ = (sa.Index("ix_diaries_install", "install"), {"sqlite_with_rowid": False})

    app: Mapped[str] = mapped_column(primary_key=True)
    release: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    install: Mapped[str] = mapped_column(primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    packed: Mapped[bytes]


class DayRow(Ingest):
    """How often a model's outcome was seen on a day (UTC) in a leaf cohort, of however many installs: for drift."""

    __tablename__ = "days"
    __table_args__ = ({"sqlite_with_rowid": False},)

    app: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    context: Mapped[str] = mapped_column(primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(sa.BigInteger)


class ShownRow(Ingest):
    """One number that a report told: of everybody in a segment (`attribute` is NULL) or of one value.

    Kept so that no later report, taken together with it, tells about a few people.
    """

    __tablename__ = "shown"
    __table_args__ = (sa.Index("ix_shown_poll", "app", "poll", "since"), {"sqlite_with_rowid": False})

    id: Mapped[str] = mapped_column(primary_key=True)
    app: Mapped[str]
    poll: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]
    segment: Mapped[str]
    attribute: Mapped[str | None]
    value: Mapped[str | None]
    told_at: Mapped[datetime]


def _table(row: type[Ingest]) -> sa.Table:
    assert isinstance(row.__table__, sa.Table)
    return row.__table__


# For statements that never make objects of rows: what phones send is too much for that.
INBOX = _table(InboxRow)
CONTEXTS = _table(ContextRow)
POLL_EVENTS = _table(PollEventRow)
ANSWERS = _table(AnswerRow)
INFERENCES = _table(InferenceRow)
INSTALLS = _table(InstallRow)
CELLS = _table(CellRow)
SHEETS = _table(SheetRow)
DIARIES = _table(DiaryRow)
DAYS = _table(DayRow)
SHOWN = _table(ShownRow)
