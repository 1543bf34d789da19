"""Alembic's environment for both histories; `muster db upgrade` hands it an open connection."""

from typing import Any

from alembic import context

import migrations.tables
from core.db import Control, Ingest
from migrations.run import version_table

connection = context.config.attributes["connection"]
branch = context.config.attributes["branch"]
metadata = {"control": Control, "ingest": Ingest}[branch].metadata


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    # The jobs' own tables, and on PostgreSQL the other history's, are not ours to drop.
    return kind != "table" or name in metadata.tables


def _only_changes(_context: object, _revision: object, directives: list[Any]) -> None:
    """Write no empty revision."""
    if directives and directives[0].upgrade_ops.is_empty():
        directives.clear()


context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=version_table(branch),
    include_name=_ours,
    render_as_batch=True,
    compare_type=True,
    process_revision_directives=_only_changes,
)
with context.begin_transaction():
    context.run_migrations()
