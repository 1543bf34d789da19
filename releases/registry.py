"""What an app handed over and what lies beside an artifact: files, companions, and what was read from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import audit
from core.db import insert
from core.engine import enqueue
from core.errors import InvalidInputError, Problem
from releases.artifact_store import admit, find_artifact, register_artifact
from releases.artifacts import Artifact
from releases.tables import CompanionRow, FileRow, InspectionRow

MODEL: Final = "model"
EVALUATION: Final = "eval"
CALIBRATION: Final = "calib"
SCRIPT: Final = "train_script"
ROLES: Final = (EVALUATION, CALIBRATION, SCRIPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A file that came with an artifact. `role`: eval, calib or train_script."""

    role: str
    sha256: str
    size_bytes: int
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was read from a file; `refused` is the sentence why nothing was."""

    facts: Mapping[str, Any] | None
    refused: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """An artifact's companions, and what was read from it ("model") and from those that it has now, by role."""

    companions: dict[str, Companion]
    inspections: dict[str, Inspection]


def note_file(session: Session, *, app: str, sha256: str, size_bytes: int, by: str, now: datetime) -> None:
    """Note bytes that came whole; noting them twice changes nothing."""
    row = {"app": app, "sha256": sha256, "size_bytes": size_bytes, "received_at": now, "received_by": by}
    session.execute(insert(session, FileRow).values(row).on_conflict_do_nothing())


def size_of(session: Session, *, app: str, sha256: str) -> int | None:
    """Return the bytes of a file that this app handed over, None when it did not."""
    return session.scalar(sa.select(FileRow.size_bytes).where(FileRow.app == app, FileRow.sha256 == sha256))


def check_companions(session: Session, *, app: str, named: Mapping[str, str]) -> None:
    """Raises: InvalidInputError: a file was never handed over; with every one."""
    problems = [
        Problem(role, f"names a file that is not here; send it to /v1/uploads/{sha256[:64]} first")
        for role, sha256 in named.items()
        if size_of(session, app=app, sha256=sha256) is None
    ]
    if problems:
        raise InvalidInputError(*problems)


def register(
    session: Session, artifact: Artifact, *, app: str, by: str, now: datetime, companions: Mapping[str, str]
) -> tuple[Artifact, bool]:
    """Register a file with what came beside it, and have all of it inspected; return it as kept, and whether it is new.
    One that awaits reading is offered to nobody until `note_read`.

    The artifact itself never changes; a companion may be replaced by a better one, which the audit log tells.
    Raises: ConflictError, InvalidInputError.
    """
    check_companions(session, app=app, named=companions)
    is_new = register_artifact(session, artifact, app=app, by=by, now=now)
    if is_new:
        facts = {"sha256": artifact.sha256, "app": app, "baseline": artifact.is_baseline}
        facts |= {"made_from": artifact.made_from, "made_by": artifact.made_by} if artifact.made_from else {}
        audit.record(session, who=by, what="artifact.registered", subject=artifact.name, now=now, facts=facts)
    changed = _put_companions(session, artifact, app=app, by=by, now=now, companions=companions)
    kept = find_artifact(session, app=app, sha256=artifact.sha256)
    if is_new or changed or kept.awaits_reading:
        # The moment, because a file that was refused, or could not be read just then, may come again.
        key = "/".join([app, artifact.sha256, now.isoformat(), *changed.values()])
        enqueue(session, "inspect_artifact", key=key[:250], app=app, sha256=artifact.sha256)
    return kept, is_new


def companions_of(session: Session, *, app: str, artifact: str) -> dict[str, Companion]:
    """Return an artifact's companions by role."""
    return _companions(session, app, [artifact]).get(artifact, {})


def inspections_of(session: Session, *, app: str, artifact: str) -> dict[str, Inspection]:
    """Return what was read from an artifact ("model") and from the companions that it has now, by role."""
    return beside(session, app=app, artifacts=[artifact])[artifact].inspections


def beside(session: Session, *, app: str, artifacts: Collection[str]) -> dict[str, Beside]:
    """Return what lies beside each of these artifacts; two queries, however many they are."""
    companions = _companions(session, app, artifacts)
    found = {each: Beside(companions=companions.get(each, {}), inspections={}) for each in artifacts}
    query = sa.select(InspectionRow).where(InspectionRow.app == app, InspectionRow.artifact.in_(artifacts))
    for row in session.scalars(query.execution_options(populate_existing=True)):
        companion = found[row.artifact].companions.get(row.role)
        if row.sha256 == (row.artifact if row.role == MODEL else companion and companion.sha256):
            found[row.artifact].inspections[row.role] = Inspection(facts=row.facts, refused=row.refused)
    return found


def unread(session: Session, *, app: str, artifacts: Collection[Artifact]) -> tuple[str, ...]:
    """Return of each file that could not be read the sentence why: nobody has seen that a phone can run it."""
    found = beside(session, app=app, artifacts=[each.sha256 for each in artifacts])
    own = [(each.name, found[each.sha256].inspections.get(MODEL)) for each in artifacts]
    return tuple(f"{name} {read.refused}" for name, read in own if read is not None and read.refused)


def save_inspection(
    session: Session, found: Inspection, *, app: str, artifact: str, role: str, sha256: str, now: datetime
) -> None:
    values = {"sha256": sha256, "facts": found.facts, "refused": found.refused, "inspected_at": now}
    row = insert(session, InspectionRow).values(app=app, artifact=artifact, role=role, **values)
    session.execute(row.on_conflict_do_update(index_elements=["app", "artifact", "role"], set_=values))


def note_read(session: Session, *, app: str, artifact: str) -> None:
    """Let a file that awaits reading go, once it and everything beside it was read."""
    found = beside(session, app=app, artifacts=[artifact])[artifact]
    read = {role for role, each in found.inspections.items() if each.facts is not None}
    if read >= {MODEL, *found.companions}:
        admit(session, app=app, sha256=artifact)


def _companions(session: Session, app: str, artifacts: Collection[str]) -> dict[str, dict[str, Companion]]:
    query = sa.select(CompanionRow).where(CompanionRow.app == app, CompanionRow.artifact.in_(artifacts))
    found: dict[str, dict[str, Companion]] = {}
    for row in session.scalars(query.order_by(CompanionRow.role).execution_options(populate_existing=True)):
        companion = Companion(role=row.role, sha256=row.sha256, size_bytes=row.size_bytes, added_at=row.added_at)
        found.setdefault(row.artifact, {})[row.role] = companion
    return found


def _put_companions(
    session: Session, artifact: Artifact, *, app: str, by: str, now: datetime, companions: Mapping[str, str]
) -> dict[str, str]:
    """Return those that were not there before."""
    known = companions_of(session, app=app, artifact=artifact.sha256)
    changed = {role: sha for role, sha in companions.items() if role not in known or known[role].sha256 != sha}
    for role, sha256 in changed.items():
        size_bytes = size_of(session, app=app, sha256=sha256) or 0
        values = {"sha256": sha256, "size_bytes": size_bytes, "added_at": now, "added_by": by}
        row = insert(session, CompanionRow).values(app=app, artifact=artifact.sha256, role=role, **values)
        session.execute(row.on_conflict_do_update(index_elements=["app", "artifact", "role"], set_=values))
    if changed:
        audit.record(session, who=by, what="artifact.companions", subject=artifact.name, now=now, facts=changed)
    return changed
