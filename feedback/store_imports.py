"""Where another tool's surveys lead, as people have said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import NotFoundError
from core.privacy import seal, unseal
from feedback.imports.mapping import ImportMap, Source
from feedback.poll_tables import ImportRow


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImport:
    """A mapping as it is kept; `secret` is what the other side signs with, if that was told."""

    mapping: ImportMap
    secret: str | None
    made_by: str
    updated_at: datetime


def save_import(
    session: Session, mapping: ImportMap, *, app: str, secret: str | None, key: bytes, by: str, now: datetime
) -> None:
    """Keep a mapping in place of an earlier one; a secret that is not told again stays."""
    row = session.get(ImportRow, (app, mapping.source, mapping.survey))
    if row is None:
        row = ImportRow(app=app, source=mapping.source, survey=mapping.survey, sealed=None)
        session.add(row)
    row.poll, row.mapping, row.made_by, row.updated_at = mapping.poll, msgspec.to_builtins(mapping), by, now
    row.sealed = seal(secret, key) if secret else row.sealed
    session.flush()


def find_import(session: Session, source: Source, survey: str, *, app: str, key: bytes) -> KnownImport:
    """Raises: NotFoundError: says how to connect one."""
    row = session.get(ImportRow, (app, source, survey))
    if row is None:
        raise NotFoundError(f"{source} {survey} is not connected to a poll: `muster import connect mapping.yaml`.")
    return _known(row, key)


def apps_of_import(session: Session, source: Source, survey: str) -> tuple[str, ...]:
    """Return the apps that a survey is connected for; a webhook does not name its app."""
    wanted = (ImportRow.source == source, ImportRow.survey == survey)
    return tuple(session.scalars(sa.select(ImportRow.app).where(*wanted).order_by(ImportRow.app)))


def list_imports(session: Session, *, app: str, key: bytes) -> tuple[KnownImport, ...]:
    rows = session.scalars(
        sa.select(ImportRow).where(ImportRow.app == app).order_by(ImportRow.source, ImportRow.survey)
    )
    return tuple(_known(row, key) for row in rows)


def _known(row: ImportRow, key: bytes) -> KnownImport:
    return KnownImport(
        mapping=msgspec.convert(row.mapping, ImportMap),
        secret=unseal(row.sealed, key) if row.sealed else None,
        made_by=row.made_by,
        updated_at=row.updated_at,
    )
