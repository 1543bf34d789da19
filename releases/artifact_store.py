"""Artifacts in the database: register once, find, the current baseline of a model, quarantine."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import ConflictError, NotFoundError, Problem
from core.versions import version_key
from releases.artifacts import Artifact
from releases.counters import bump
from releases.states import State
from releases.tables import ArtifactRow, CompanionRow, InspectionRow, ReleaseRow, RolloutRow


def register_artifact(session: Session, artifact: Artifact, *, app: str, by: str, now: datetime) -> bool:
    """Register a file; return whether it is new. The same file in the same words again changes nothing, but that it
    need not be read any more.

    One that was refused when it was read gives way, to another file of its name and to itself in other words.
    Raises: ConflictError: the file is known as something else, its name belongs to another file, or the model has a
        baseline of another version already (only a release replaces that).
    """
    known = session.get(ArtifactRow, (app, artifact.sha256), populate_existing=True)
    if known is not None and _stated(_artifact(known)) == _stated(artifact):
        if known.awaits_reading and artifact.is_baseline:
            _require_baseline(session, artifact, app=app)
        if not artifact.awaits_reading:
            admit(session, app=app, sha256=artifact.sha256)
        return False
    if known is not None:
        _make_way(session, known, f"This file is registered already, as {_artifact(known).name} with other facts.")
    taken = session.scalar(
        sa.select(ArtifactRow).where(
            ArtifactRow.app == app, ArtifactRow.model == artifact.model, ArtifactRow.version == artifact.version,
            ArtifactRow.variant == artifact.variant,
        )
    )  # fmt: skip
    if taken is not None:
        digest = taken.sha256[:12]
        _make_way(session, taken, f"{artifact.name} is another file already ({digest}…); use a new version or variant.")
    if artifact.is_baseline:
        _require_baseline(session, artifact, app=app)
    session.add(
        ArtifactRow(
            app=app, sha256=artifact.sha256, model=artifact.model, version=artifact.version, variant=artifact.variant,
            size_bytes=artifact.size_bytes, runtime=artifact.runtime, min_app=artifact.min_app, min_os=artifact.min_os,
            min_ram_gb=artifact.min_ram_gb, accelerators=list(artifact.accelerators),
            is_baseline=artifact.is_baseline, registered_at=now, registered_by=by,
            quarantined_at=None, quarantined_for=None, made_from=artifact.made_from, made_by=artifact.made_by,
            awaits_reading=artifact.awaits_reading,
        )
    )  # fmt: skip
    session.flush()
    bump(session, "catalog")
    return True


def admit(session: Session, *, app: str, sha256: str) -> None:
    """Note that a file need not be read any more: it was, or somebody says that the app reads it; twice is harmless."""
    waiting = (ArtifactRow.app == app, ArtifactRow.sha256 == sha256, ArtifactRow.awaits_reading)
    admitted = sa.update(ArtifactRow).where(*waiting).values(awaits_reading=False).returning(ArtifactRow.sha256)
    if session.scalar(admitted) is not None:
        bump(session, "catalog")


def find_artifact(session: Session, *, app: str, sha256: str) -> Artifact:
    """Raises: NotFoundError."""
    row = session.get(ArtifactRow, (app, sha256))
    if row is None:
        raise NotFoundError(f"There is no artifact {sha256}.")
    return _artifact(row)


def find_artifacts(
    session: Session, *, app: str, model: str | None = None, version: str | None = None
) -> tuple[Artifact, ...]:
    """Return artifacts by model, version (the newest last) and variant."""
    query = sa.select(ArtifactRow).where(ArtifactRow.app == app).execution_options(populate_existing=True)
    if model is not None:
        query = query.where(ArtifactRow.model == model)
    if version is not None:
        query = query.where(ArtifactRow.version == version)
    return tuple(sorted((_artifact(row) for row in session.scalars(query)), key=_order))


def models(session: Session, *, app: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return (app, model) of everything registered, in order."""
    found = sa.select(ArtifactRow.app, ArtifactRow.model).distinct().order_by(ArtifactRow.app, ArtifactRow.model)
    if app is not None:
        found = found.where(ArtifactRow.app == app)
    return tuple((row.app, row.model) for row in session.execute(found))


def registered_at(session: Session, *, app: str, model: str, version: str) -> datetime:
    """Return when the first file of a version was registered. Raises: NotFoundError."""
    wanted = (ArtifactRow.app == app, ArtifactRow.model == model, ArtifactRow.version == version)
    found = session.scalar(sa.select(ArtifactRow.registered_at).where(*wanted).order_by(ArtifactRow.registered_at))
    if found is None:
        raise NotFoundError(f"There is no artifact of {model}@{version}.")
    return found


def current_baselines(session: Session, *, app: str, model: str) -> tuple[Artifact, ...]:
    """Return what phones run when no release is live: the files of the last completed release that still stands, or
    those registered as baseline. All are of one version; nothing means that the model in the app stays. A comparison
    of two candidates (A/B) replaces nothing."""
    last = (
        sa.select(ReleaseRow.candidates)
        .join(RolloutRow, RolloutRow.release_id == ReleaseRow.id)
        .where(ReleaseRow.app == app, ReleaseRow.model == model)
        .where(RolloutRow.state.in_([str(State.COMPLETED), str(State.SUPERSEDED)]), ReleaseRow.rival_version.is_(None))
        .order_by(RolloutRow.completed_at.desc(), ReleaseRow.number.desc())
        .limit(1)
    )
    digests = session.scalar(last)
    artifacts = find_artifacts(session, app=app, model=model)
    if digests is not None:
        return tuple(artifact for artifact in artifacts if artifact.sha256 in digests)
    return tuple(artifact for artifact in artifacts if artifact.is_baseline and not artifact.awaits_reading)


def why_refused(session: Session, *, app: str, sha256: str) -> str | None:
    """Return what is wrong with a file or with what came beside it, as far as it was read; None when nothing is."""
    now_beside = sa.select(CompanionRow.sha256).where(CompanionRow.app == app, CompanionRow.artifact == sha256)
    wanted = (InspectionRow.app == app, InspectionRow.artifact == sha256, InspectionRow.refused.is_not(None),
              (InspectionRow.sha256 == sha256) | InspectionRow.sha256.in_(now_beside))  # fmt: skip
    found = session.execute(sa.select(InspectionRow.role, InspectionRow.refused).where(*wanted)).all()
    return "; ".join(f"{role} {refused}" for role, refused in sorted(found)) or None


def refusals(session: Session, app: str, artifacts: Iterable[Artifact], *, path: str) -> list[Problem]:
    """Return why files that still await reading will not be offered: those that were read, and refused."""
    waiting = [(each.name, why_refused(session, app=app, sha256=each.sha256)) for each in artifacts
               if each.awaits_reading]  # fmt: skip
    hint = "register another file, or this one with --unread if the app can read it"
    return [Problem(path, f"{name} was refused when it was read: {why}; {hint}") for name, why in waiting if why]


def quarantine(session: Session, *, app: str, digests: Iterable[str], reason: str, now: datetime) -> None:
    """Never offer these files again; the first reason stays."""
    session.execute(
        sa.update(ArtifactRow)
        .where(ArtifactRow.app == app, ArtifactRow.sha256.in_(list(digests)), ArtifactRow.quarantined_at.is_(None))
        .values(quarantined_at=now, quarantined_for=reason),
        execution_options={"synchronize_session": False},
    )


def _require_baseline(session: Session, artifact: Artifact, *, app: str) -> None:
    of_model = find_artifacts(session, app=app, model=artifact.model)
    versions = {each.version for each in current_baselines(session, app=app, model=artifact.model)}
    versions |= {each.version for each in of_model if each.is_baseline and each.awaits_reading
                 and why_refused(session, app=app, sha256=each.sha256) is None}  # fmt: skip
    if versions - {artifact.version}:
        raise ConflictError(f"{artifact.model} has the baseline {min(versions)}; only a release can replace it.")


def _make_way(session: Session, row: ArtifactRow, why_not: str) -> None:
    """Forget a registration that was refused when it was read, and that nothing builds on. Raises: ConflictError."""
    releases = (ReleaseRow.candidate_version, ReleaseRow.rival_version, ReleaseRow.baseline_version)
    named = sa.or_(*(column == row.version for column in releases))
    in_use = (
        sa.select(ReleaseRow.id).where(ReleaseRow.app == row.app, ReleaseRow.model == row.model, named),
        sa.select(ArtifactRow.sha256).where(ArtifactRow.app == row.app, ArtifactRow.made_from == row.sha256),
    )
    is_refused = row.awaits_reading and why_refused(session, app=row.app, sha256=row.sha256) is not None
    if not is_refused or any(session.scalar(query.limit(1)) is not None for query in in_use):
        raise ConflictError(why_not)
    for table in (CompanionRow, InspectionRow):
        session.execute(sa.delete(table).where(table.app == row.app, table.artifact == row.sha256))
    session.delete(row)
    session.flush()


def _stated(artifact: Artifact) -> tuple[object, ...]:
    return (artifact.model, artifact.version, artifact.variant, artifact.runtime, artifact.min_app, artifact.min_os,
            artifact.min_ram_gb, artifact.accelerators, artifact.is_baseline)  # fmt: skip


def _order(artifact: Artifact) -> tuple[object, ...]:
    return artifact.model, version_key(artifact.version) or ((), False, ()), artifact.variant


def _artifact(row: ArtifactRow) -> Artifact:
    return Artifact(
        sha256=row.sha256, model=row.model, version=row.version, variant=row.variant, size_bytes=row.size_bytes,
        runtime=row.runtime, min_app=row.min_app, min_os=row.min_os, min_ram_gb=row.min_ram_gb,
        accelerators=tuple(row.accelerators), is_baseline=row.is_baseline,
        quarantined=row.quarantined_at is not None, made_from=row.made_from, made_by=row.made_by,
        awaits_reading=row.awaits_reading,
    )  # fmt: skip
