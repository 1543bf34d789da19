"""Tables of releases, on the control database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Control


class ArtifactRow(Control):
    """One model file. What it was registered as never changes; only quarantine is added.

    `awaits_reading`: no phone gets it as baseline and another file may take its name, until all of it was read.
    """

    __tablename__ = "artifacts"
    __table_args__ = (sa.UniqueConstraint("app", "model", "version", "variant"),)

    app: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    model: Mapped[str]
    version: Mapped[str]
    variant: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    runtime: Mapped[str | None]
    min_app: Mapped[str | None]
    min_os: Mapped[str | None]
    min_ram_gb: Mapped[float | None]
    accelerators: Mapped[list[str]] = mapped_column(sa.JSON)
    is_baseline: Mapped[bool]
    registered_at: Mapped[datetime]
    registered_by: Mapped[str]
    quarantined_at: Mapped[datetime | None]
    quarantined_for: Mapped[str | None]
    made_from: Mapped[str | None] = mapped_column(sa.String(64))
    made_by: Mapped[str | None]
    awaits_reading: Mapped[bool] = mapped_column(server_default=sa.false())


class FileRow(Control):
    """Bytes that an app handed over, whole and verified; a registration may name them."""

    __tablename__ = "files"

    app: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    received_at: Mapped[datetime]
    received_by: Mapped[str]


class CompanionRow(Control):
    """A file that came with an artifact: inputs to judge or calibrate by, or the script that trained it."""

    __tablename__ = "companions"

    app: Mapped[str] = mapped_column(primary_key=True)
    artifact: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    role: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    sha256: Mapped[str] = mapped_column(sa.String(64))
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    added_at: Mapped[datetime]
    added_by: Mapped[str]


class InspectionRow(Control):
    """What was read from a file itself, or why it was refused. `role` is "model" or a companion's."""

    __tablename__ = "inspections"

    app: Mapped[str] = mapped_column(primary_key=True)
    artifact: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    role: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    sha256: Mapped[str] = mapped_column(sa.String(64))
    facts: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    refused: Mapped[str | None]
    inspected_at: Mapped[datetime]


class ReleaseRow(Control):
    """A decision; nothing in it changes after it was proposed."""

    __tablename__ = "releases"

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    app: Mapped[str]
    model: Mapped[str] = mapped_column(index=True)
    baseline_version: Mapped[str]
    candidate_version: Mapped[str]
    baselines: Mapped[list[str]] = mapped_column(sa.JSON)
    candidates: Mapped[list[str]] = mapped_column(sa.JSON)
    salt: Mapped[str]
    plan: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    plan_hash: Mapped[str]
    proposed_by: Mapped[str]
    reason: Mapped[str | None]
    created_at: Mapped[datetime]
    rival_version: Mapped[str | None]
    rivals: Mapped[list[str] | None] = mapped_column(sa.JSON(none_as_null=True))


class RolloutRow(Control):
    """How far a release has got. `slot` is app and model while the release takes it, so two can never both run."""

    __tablename__ = "rollouts"

    release_id: Mapped[str] = mapped_column(sa.ForeignKey("releases.id"), primary_key=True)
    state: Mapped[str] = mapped_column(index=True)
    stage: Mapped[int]
    since: Mapped[datetime]
    stage_since: Mapped[datetime]
    revision: Mapped[int]
    reason: Mapped[str | None]
    paused_for: Mapped[str | None]
    cleared: Mapped[int]
    stopped: Mapped[list[dict[str, Any]] | None] = mapped_column(sa.JSON(none_as_null=True))
    unequal: Mapped[int | None]
    slot: Mapped[str | None] = mapped_column(unique=True)
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]


class ReleaseEventRow(Control):
    """One line of a release's history; appended, never changed."""

    __tablename__ = "release_events"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    release_id: Mapped[str] = mapped_column(sa.ForeignKey("releases.id"), index=True)
    at: Mapped[datetime]
    what: Mapped[str]
    who: Mapped[str]
    reason: Mapped[str | None]
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


class ApprovalRow(Control):
    """One person's approval of one thing shown (`subject`: see states.approval_subject)."""

    __tablename__ = "approvals"

    release_id: Mapped[str] = mapped_column(sa.ForeignKey("releases.id"), primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    by: Mapped[str] = mapped_column("approved_by", primary_key=True)
    at: Mapped[datetime]


class FreezeRow(Control):
    """A time of the week, or between two moments, in which nothing widens: F1."""

    __tablename__ = "freezes"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    app: Mapped[str] = mapped_column(index=True)
    rule: Mapped[str]
    reason: Mapped[str | None]
    added_by: Mapped[str]
    added_at: Mapped[datetime]
    removed_by: Mapped[str | None]
    removed_at: Mapped[datetime | None]


class ThrottleRow(Control):
    """How a cohort may use a model: at most so often, or not on the device at all: T1."""

    __tablename__ = "throttles"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    app: Mapped[str] = mapped_column(index=True)
    model: Mapped[str]
    segment: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    per_minute: Mapped[int | None]
    runs: Mapped[str]
    reason: Mapped[str | None]
    set_by: Mapped[str]
    set_at: Mapped[datetime]
    lifted_by: Mapped[str | None]
    lifted_at: Mapped[datetime | None]


class PushKeyRow(Control):
    """An API key whose phones may keep a stream open and be told of changes."""

    __tablename__ = "push_keys"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    allowed_at: Mapped[datetime]


class ReleaseCounterRow(Control):
    """Counters: "number" gives R12, "freeze" F1, "throttle" T1; "catalog" grows with whatever changes an offer."""

    __tablename__ = "release_counters"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(sa.BigInteger)
