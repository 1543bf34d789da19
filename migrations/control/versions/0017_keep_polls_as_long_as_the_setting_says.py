"""Keep polls as long as the setting says

Every definition had 180 days written into it, the setting's default, where its author had named no days.

Revision: 0017, after: 0016, on 2026-11-28 05:05:00
"""

import sqlalchemy as sa
from alembic import op


revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None

FORMER_DEFAULT = 180
KEYS = {"polls": ("id",), "poll_versions": ("poll", "version")}


def upgrade() -> None:
    forget_former_default(op.get_bind())


def forget_former_default(connection: sa.Connection) -> None:
    for name, keys in KEYS.items():
        table = sa.table(name, *map(sa.column, keys), sa.column("definition", sa.JSON))
        for row in connection.execute(sa.select(table)).mappings().all():
            if row["definition"].get("retention_days") == FORMER_DEFAULT:
                left = {key: value for key, value in row["definition"].items() if key != "retention_days"}
                its = (table.c[key] == row[key] for key in keys)
                connection.execute(sa.update(table).where(*its).values(definition=left))


def downgrade() -> None:
    pass  # what reads a definition without it takes 180
