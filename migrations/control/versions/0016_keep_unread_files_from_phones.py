"""Keep unread files from phones

Revision: 0016, after: 0015, on 2026-11-28 04:12:00
"""

import sqlalchemy as sa
from alembic import op


revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('artifacts', sa.Column('awaits_reading', sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('artifacts') as batch:
        batch.drop_column('awaits_reading')
